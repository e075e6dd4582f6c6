import { describe, expect, it } from 'vitest';
import { createLogger, type LogFormat } from '../../../src/observability/logging.ts';
import { CdcError, type Logger, type LogLevel } from '../../../src/sdk/index.ts';
import { stoppedClock } from './fake-status.ts';

function logged(format: LogFormat, level: LogLevel, log: (logger: Logger) => void): string {
  let text = '';
  log(
    createLogger({
      format,
      level,
      clock: stoppedClock,
      color: false,
      write: (line) => {
        text += line;
      },
    }),
  );
  return text;
}

describe('createLogger', () => {
  it('writes one JSON object per line, with time, level and message first and the fields of its parents', () => {
    const text = logged('json', 'info', (logger) => {
      logger.child({ pipeline: 'orders' }).child({ component: 'replica' }).info('started', { rows: 3n });
    });
    expect(text).toBe(
      '{"ts":"2026-01-02T03:04:05.000Z","level":"info","msg":"started","pipeline":"orders","component":"replica","rows":"3"}\n',
    );
  });

  it('keeps its own keys when a field has the same name', () => {
    expect(
      JSON.parse(
        logged('json', 'info', (logger) => {
          logger.info('m', { msg: 'x', level: 'y', ts: 1 });
        }),
      ),
    ).toEqual({
      ts: '2026-01-02T03:04:05.000Z',
      level: 'info',
      msg: 'm',
      msg_: 'x',
      level_: 'y',
      ts_: 1,
    });
  });

  it.each([
    ['debug', ['debug', 'info', 'warn', 'error']],
    ['info', ['info', 'warn', 'error']],
    ['error', ['error']],
    ['silent', []],
  ] as const)('writes at level %s only %j', (level, written) => {
    const text = logged('json', level, (logger) => {
      logger.debug('debug');
      logger.info('info');
      logger.warn('warn');
      logger.error('error');
    });
    expect(
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => (JSON.parse(line) as { msg: string }).msg),
    ).toEqual(written);
  });

  it.each(['json', 'pretty'] as const)('masks secrets in message and fields of %s lines', (format) => {
    const text = logged(format, 'info', (logger) => {
      logger.warn('at redis://:hunter2@h', { url: 'amqp://u:hunter2@h', password: 'hunter2', error: new Error('token=hunter2') });
    });
    expect(text).not.toContain('hunter2');
    expect(text.match(/\*\*\*/g)?.length).toBe(4);
  });

  it('writes pretty lines that name pipeline and component, with the error and its fix beneath', () => {
    const error = new CdcError('DESTINATION_UNREACHABLE', 'connect ECONNREFUSED', { fix: 'Start it.' });
    const text = logged('pretty', 'info', (logger) => {
      const lane = logger.child({ pipeline: 'orders', component: 'replica' });
      lane.warn('waiting', { attempt: 2, error });
      lane.warn('waiting', { code: 'DLQ_UNAVAILABLE', error: 'disk full', fix: 'Make room.' });
      logger.info('hello', { file: 'a b' });
    });
    expect(text).toBe(
      [
        '03:04:05 warn  orders · replica: waiting (attempt=2)',
        '         DESTINATION_UNREACHABLE: connect ECONNREFUSED',
        '         fix: Start it.',
        '03:04:05 warn  orders · replica: waiting',
        '         DLQ_UNAVAILABLE: disk full',
        '         fix: Make room.',
        '03:04:05 info  hello (file="a b")',
        '',
      ].join('\n'),
    );
  });

  it('shows control characters of foreign messages as text in pretty lines', () => {
    expect(
      logged('pretty', 'info', (logger) => {
        logger.info('a\u001b[2Jb');
      }),
    ).not.toContain('\u001b');
  });
});
