// Asks running processes over their control sockets. Used by `cdc-run status` and `cdc-run replay`.

import { connect } from 'node:net';
import type { PipelineStatus } from '../engine/api.ts';
import type { ErrorCode } from '../sdk/error-codes.ts';
import { CdcError, toCdcError } from '../sdk/errors.ts';
import type { Clock } from '../sdk/ports.ts';
import { isTrusted, listSockets, placeOf } from './address.ts';
import { isStatusAnswer } from './commands.ts';
import { type ControlAnswer, type ControlRequest, formatLine, LineSplitter } from './protocol.ts';

/** A status of hundreds of pipelines with thousands of tables stays below this. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export interface AskOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** Sends one request and resolves with its result. Throws `CONTROL_UNREACHABLE`, or the error the process answered with. */
export async function ask(path: string, request: Omit<ControlRequest, 'id'>, { clock, timeoutMs }: AskOptions): Promise<unknown> {
  const abort = new AbortController();
  const timeout = clock.sleep(timeoutMs, abort.signal).then(() => {
    if (!abort.signal.aborted) abort.abort(unreachable(path, `no answer within ${timeoutMs} ms`));
  });
  try {
    const answer = await exchange(path, { id: 1, ...request }, abort.signal);
    if (answer.ok) return answer.result;
    const { code, message, where, fix, retriable } = answer.error;
    throw new CdcError(code as ErrorCode, message, { retriable, ...(where === null ? {} : { where }), ...(fix === null ? {} : { fix }) });
  } finally {
    abort.abort();
    await timeout;
  }
}

function exchange(path: string, request: ControlRequest, signal: AbortSignal): Promise<ControlAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const lines = new LineSplitter(MAX_ANSWER_BYTES);
    const fail = (error: unknown): void => {
      socket.destroy();
      reject(toCdcError(error, 'CONTROL_UNREACHABLE', { where: path }));
    };
    signal.addEventListener(
      'abort',
      () => {
        fail(signal.reason);
      },
      { once: true },
    );
    socket.on('error', fail);
    socket.on('close', () => {
      fail(unreachable(path, 'the connection was closed without an answer'));
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        const [line] = lines.push(chunk);
        if (line === undefined) return;
        resolve(JSON.parse(line) as ControlAnswer);
        socket.destroy();
      } catch (error) {
        fail(error);
      }
    });
    socket.write(formatLine(request));
  });
}

function unreachable(path: string, why: string): CdcError {
  return new CdcError('CONTROL_UNREACHABLE', `The process at ${path} cannot be asked: ${why}`, { where: path, retriable: true });
}

/** Asks every process that runs pipelines of this state file. Those that are gone or do not answer are left out. */
export async function askAll(statePath: string, request: Omit<ControlRequest, 'id'>, options: AskOptions): Promise<readonly unknown[]> {
  const place = placeOf(statePath);
  if (!isTrusted(place)) return [];
  const answers = await Promise.allSettled(listSockets(place).map((path) => ask(path, request, options)));
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
}

export interface Running {
  readonly status: PipelineStatus;
  ask(request: Omit<ControlRequest, 'id'>): Promise<unknown>;
}

/** The process that runs this pipeline, not one that stands by; `null` when none answers. */
export async function askRunning(statePath: string, pipeline: string, options: AskOptions): Promise<Running | null> {
  const place = placeOf(statePath);
  if (!isTrusted(place)) return null;
  const found = await Promise.allSettled(
    listSockets(place).map(async (path): Promise<Running | null> => {
      const answer = await ask(path, { cmd: 'status', pipelines: [pipeline] }, options);
      const status = isStatusAnswer(answer) ? answer.pipelines.find((p) => p.name === pipeline && p.state !== 'standby') : undefined;
      return status === undefined ? null : { status, ask: (request) => ask(path, request, options) };
    }),
  );
  return found.flatMap((f) => (f.status === 'fulfilled' && f.value !== null ? [f.value] : []))[0] ?? null;
}
