// Points moved by hand: the command line as a child process, on a pipeline that has run and one that runs.

import { describe, expect, it } from 'vitest';
import { Workspace } from './process.ts';

const yaml = (mode: string): string => `name: orders
source: {type: file, name: lines, path: in.ndjson}
destination: {type: file, name: copy, path: out.ndjson, envelope: plain}
sync: {mode: ${mode}}
state: {type: file}
`;
const rows = (first: number, count: number): string =>
  Array.from({ length: count }, (_, i) => `${JSON.stringify({ id: first + i })}\n`).join('');

describe('cdc-run offsets', () => {
  it('sets and rolls back what the next run sends, and refuses while one runs', async () => {
    using work = new Workspace();
    work.write('orders.yaml', yaml('one_time'));
    work.write('in.ndjson', rows(1, 3));
    expect((await work.run(['orders.yaml'])).code).toBe(0);
    const [row] = (JSON.parse((await work.run(['offsets', 'orders.yaml', '--json'])).out) as { rows: { position: string }[] }).rows;
    work.write('in.ndjson', rows(1, 5));
    expect((await work.run(['orders.yaml'])).code).toBe(0);
    expect(work.lines('out.ndjson')).toHaveLength(5);

    // Back to where the first run ended: rows 4 and 5 come again.
    const set = ['offsets', 'set', 'orders.yaml', '--source', 'lines', '--position', row?.position ?? ''];
    const shown = await work.run(set);
    expect(shown.out).toMatch(/copy {2}lines\/\S+ {2}line 5, byte 45 → line 3, byte 27 {2}what lies between is sent again/);
    expect(shown.out).toContain('Nothing was changed.');
    expect((await work.run([...set, '--yes'])).out).toContain('✔ done');
    expect((await work.run(['orders.yaml'])).code).toBe(0);
    expect(work.lines('out.ndjson')).toHaveLength(7);

    // The very first checkpoint stands at the beginning: all five come again.
    expect((await work.run(['offsets', 'orders.yaml', '--history'])).out).toMatch(/\n {2}1 {2}\S+ \S+ UTC {2}copy {2}the beginning\n/);
    expect((await work.run(['offsets', 'rollback', 'orders.yaml', '--to', '1', '--yes'])).code).toBe(0);
    expect((await work.run(['orders.yaml'])).code).toBe(0);
    expect(work.lines('out.ndjson')).toHaveLength(12);

    work.write('orders.yaml', yaml('continuous'));
    const running = work.start(['orders.yaml']);
    await running.until(/"msg":"continued from/);
    const refused = await work.run([...set, '--yes']);
    expect([refused.code, refused.err]).toEqual([3, expect.stringContaining('STATE_LOCKED')]);
    running.child.kill('SIGTERM');
    expect((await running.ended).code).toBe(0);
    expect((await work.run(['forget', 'orders', '--yes', '--state', '.cdc/state'])).out).toBe('✔ forgotten: pipeline orders\n');
  });
});
