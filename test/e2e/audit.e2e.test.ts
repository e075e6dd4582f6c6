// `cdc-run audit verify` on a log that a run has written.

import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Workspace } from './process.ts';

const PIPELINE = `name: orders
source: {type: generator, count: 20}
destination: {type: "null"}
plugins: {middleware: {middleware: [{type: audit_trail, params: {path: audit.ndjson}}]}}
sync: {mode: one_time}
`;

describe('cdc-run audit verify', () => {
  it('accepts the log of a run, and names the first line that was changed, with exit 4', async () => {
    using work = new Workspace();
    work.write('orders.yaml', PIPELINE);
    expect((await work.run(['orders.yaml'])).code).toBe(0);
    expect(await work.run(['audit', 'verify', 'audit.ndjson'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^✔ audit\.ndjson {2}\d+ records, the chain is whole, not signed\n$/),
    });
    expect(JSON.parse((await work.run(['audit', 'verify', 'audit.ndjson', '--json'])).out)).toMatchObject({
      ok: true,
      path: 'audit.ndjson',
      signatures: 'none',
    });

    const lines = work.lines('audit.ndjson');
    writeFileSync(
      work.path('audit.ndjson'),
      `${[lines[0], lines[1]?.replace(/"(seq|events?)":(\d+)/, '"$1":9$2'), ...lines.slice(2)].join('\n')}\n`,
    );
    expect(await work.run(['audit', 'verify', 'audit.ndjson'])).toMatchObject({
      code: 4,
      out: '',
      err: expect.stringMatching(/^✖ AUDIT_CHAIN_BROKEN at audit\.ndjson\n.*in line 2/),
    });
    expect(await work.run(['audit', 'verify', 'audit.ndjson', '--json'])).toMatchObject({
      code: 4,
      out: expect.stringContaining('"ok":false'),
    });
  });

  it('says which file it cannot read', async () => {
    using work = new Workspace();
    expect(await work.run(['audit', 'verify', 'none.ndjson'])).toMatchObject({ code: 2, err: expect.stringContaining('none.ndjson') });
  });
});
