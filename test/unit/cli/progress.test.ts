import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { progressFields, progressLine, RateMeter, showProgress } from '../../../src/cli/progress.ts';
import { Screen } from '../../../src/cli/screen.ts';
import { createLogger } from '../../../src/observability/logging.ts';
import { CdcError, type Clock, type Logger } from '../../../src/sdk/index.ts';
import { fakeHandle, fakeLane, fakeRun, fakeSnapshot, fakeSource, fakeStatus, NOW_MS } from '../observability/fake-status.ts';

const plain = pc.createColors(false);

describe('progressLine', () => {
  it.each([
    [
      'a flowing pipeline',
      fakeStatus({
        sources: [fakeSource({ read: 1240 })],
        lanes: [fakeLane({ delivered: 1200 }), fakeLane({ name: 'files', delivered: 1240 })],
      }),
      310,
      'orders  shop 1,240 read → replica 1,200 · files 1,240  310/s · lag 0.1 s',
    ],
    [
      'a snapshot',
      fakeStatus({
        mode: 'one_time',
        sources: [
          fakeSource({
            state: 'snapshot',
            snapshots: [
              fakeSnapshot({ table: 'customers', state: 'done', rows: 2000 }),
              fakeSnapshot({ table: 'orders', state: 'running', rows: 400 }),
            ],
          }),
        ],
      }),
      0,
      'orders  shop snapshot of orders, 2,400 rows → replica 12',
    ],
    [
      'snapshots whose size is known',
      fakeStatus({
        mode: 'one_time',
        sources: [
          fakeSource({
            state: 'snapshot',
            snapshots: [
              fakeSnapshot({ table: 'customers', state: 'done', rows: 2000, estimate: 1900 }),
              fakeSnapshot({ table: 'orders', rows: 400, estimate: 1000, etaMs: 12_000 }),
              fakeSnapshot({ table: 'items', rows: 500, estimate: 400 }),
            ],
          }),
        ],
      }),
      0,
      'orders  shop snapshot of 2 tables, 2,900 of about 3,500 rows, about 12.0 s left → replica 12',
    ],
    [
      'a destination that is away',
      fakeStatus({ lanes: [fakeLane({ state: 'retrying', lagMs: null, lastError: new CdcError('DESTINATION_UNREACHABLE', 'x') })] }),
      0,
      'orders  shop 12 read → replica 12 retrying DESTINATION_UNREACHABLE',
    ],
    [
      'dead letters while draining',
      fakeStatus({ mode: 'one_time', state: 'stopping', run: fakeRun({ deadLetters: 2 }) }),
      0,
      'orders  shop 12 read → replica 12  2 dead · draining',
    ],
    ['a standby', fakeStatus({ state: 'standby' }), 0, 'orders  standby: another process runs this pipeline'],
    ['a pipeline between its runs', fakeStatus({ state: 'waiting', nextRunMs: NOW_MS }), 0, 'orders  next run at 2026-01-02 03:04:05 UTC'],
    ['no destination', fakeStatus({ lanes: [] }), 0, 'orders  shop 12 read'],
  ])('shows %s', (_title, status, rate, line) => {
    expect(progressLine(status, rate, plain)).toBe(line);
  });
});

describe('progressFields', () => {
  it('are few and flat enough for a log line', () => {
    expect(progressFields(fakeStatus(), 3.1234)).toEqual({
      pipeline: 'orders',
      state: 'running',
      read: 12,
      read_per_s: 3.1,
      delivered: { replica: 12 },
      lag_ms: { replica: 120 },
    });
  });
});

describe('RateMeter', () => {
  it('measures over a short while and starts anew when the count does', () => {
    const meter = new RateMeter();
    expect(meter.rate(0, 0)).toBe(0);
    expect(meter.rate(1000, 100)).toBe(100);
    for (let s = 2; s <= 10; s++) meter.rate(s * 1000, s * 100);
    expect(meter.rate(11_000, 3000)).toBeGreaterThan(600);
    expect(meter.rate(12_000, 10)).toBe(0);
  });
});

/** A terminal that understands what `Screen` sends: text, line feeds, `\r`, cursor up, clear down. */
function terminal(): { write(text: string): void; rows(): string[]; readonly isTTY: true; readonly columns: number } {
  let rows = [''];
  let row = 0;
  return {
    isTTY: true,
    columns: 80,
    write(text) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: ESC begins a cursor movement
      for (const part of text.split(/(\n|\r|\u001b\[\d*[AJ])/)) {
        if (part === '') continue;
        if (part === '\n') {
          row += 1;
          rows[row] ??= '';
        } else if (part.endsWith('A') && part.startsWith('\u001b')) row -= Number(part.slice(2, -1));
        else if (part === '\u001b[J') {
          rows = rows.slice(0, row + 1);
          rows[row] = '';
        } else if (part !== '\r') rows[row] += part;
      }
    },
    rows: () => rows,
  };
}

describe('Screen', () => {
  it('keeps progress lines at the bottom while log lines scroll past', () => {
    const tty = terminal();
    const screen = new Screen(tty, true);
    screen.write('log 1\n');
    screen.draw(['a 1', 'b 1']);
    screen.write('log 2\n');
    screen.draw(['a 2', 'b 2']);
    expect(tty.rows()).toEqual(['log 1', 'log 2', 'a 2', 'b 2']);
    screen.draw(['a 3']);
    expect(tty.rows()).toEqual(['log 1', 'log 2', 'a 3']);
    screen.clear();
    screen.write('end\n');
    expect(tty.rows()).toEqual(['log 1', 'log 2', 'end', '']);
  });

  it('cuts lines that would wrap', () => {
    const tty = terminal();
    new Screen(tty, true).draw(['x'.repeat(200)]);
    expect(tty.rows()[0]?.length).toBe(79);
  });

  it('draws nothing where lines cannot be redrawn', () => {
    const tty = terminal();
    const screen = new Screen(tty, false);
    screen.draw(['a']);
    screen.write('log\n');
    screen.clear();
    expect(tty.rows()).toEqual(['log', '']);
  });
});

/** Time that moves by what is slept, and aborts after some sleeps. */
function steppingClock(sleeps: number, end: AbortController): Clock {
  let now = NOW_MS;
  let left = sleeps;
  return {
    now: () => now,
    sleep: async (ms) => {
      now += ms;
      left -= 1;
      if (left < 0) end.abort();
    },
  };
}

describe('showProgress', () => {
  it('redraws on a terminal and leaves nothing behind', async () => {
    const tty = terminal();
    const drawn: string[] = [];
    const end = new AbortController();
    const screen = new Screen(
      {
        ...tty,
        write: (text) => {
          tty.write(text);
          drawn.push(tty.rows().join('\n'));
        },
      },
      true,
    );
    await showProgress(
      [fakeHandle(fakeStatus())],
      { clock: steppingClock(3, end), logger: loggerInto([]), screen, colors: plain },
      end.signal,
    );
    expect(drawn).toContain('⠋ orders  shop 12 read → replica 12  lag 0.1 s');
    expect(tty.rows()).toEqual(['']);
  });

  it('shows a few of many pipelines', async () => {
    const tty = terminal();
    let most = 0;
    const end = new AbortController();
    const screen = new Screen(
      {
        ...tty,
        write: (text) => {
          tty.write(text);
          most = Math.max(most, tty.rows().length);
        },
      },
      true,
    );
    const handles = Array.from({ length: 20 }, (_, i) => fakeHandle(fakeStatus({ name: `p${i}` })));
    await showProgress(handles, { clock: steppingClock(2, end), logger: loggerInto([]), screen, colors: plain }, end.signal);
    expect(most).toBe(9);
  });

  it('elsewhere logs where a pipeline began, then a line every ten seconds', async () => {
    const lines: string[] = [];
    const end = new AbortController();
    const status = fakeStatus({ run: fakeRun({ resumedFrom: { shop: { main: 'change 700' } } }) });
    await showProgress(
      [fakeHandle(status)],
      { clock: steppingClock(3, end), logger: loggerInto(lines), screen: new Screen(terminal(), false), colors: plain },
      end.signal,
    );
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { msg: 'continued from change 700', pipeline: 'orders' },
      { msg: 'progress', pipeline: 'orders', read: 12 },
      { msg: 'progress', read_per_s: 0 },
    ]);
    expect(lines).toHaveLength(3);
  });
});

function loggerInto(lines: string[]): Logger {
  return createLogger({
    level: 'info',
    format: 'json',
    color: false,
    clock: { now: () => NOW_MS, sleep: async () => {} },
    write: (line) => {
      lines.push(line);
    },
  });
}
