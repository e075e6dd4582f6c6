// The commands that a running process understands on its control socket.

import type { PipelineHandle, PipelineStatus } from '../engine/api.ts';
import { CdcError } from '../sdk/errors.ts';
import { LetterJobs, type LetterTools } from './letter-jobs.ts';
import { badRequest, type ControlRequest } from './protocol.ts';
import type { ControlCommands } from './server.ts';

/** The answer to `status`. */
export interface StatusAnswer {
  readonly pid: number;
  readonly pipelines: readonly PipelineStatus[];
}

/** `handles` is asked at each command: pipelines may start after the socket was opened. */
export function controlCommands(
  handles: () => readonly PipelineHandle[],
  /** `null`: letters of this pipeline cannot be reached from here. */
  letters: (pipeline: string) => LetterTools | null = () => null,
): ControlCommands {
  const jobs = new LetterJobs();
  return {
    ping: () => ({ pid: process.pid }),
    status: (request): StatusAnswer => ({ pid: process.pid, pipelines: chosen(handles(), request).map((h) => h.status()) }),
    // Answers once it is stored: from there on it is done, whatever happens to this process.
    replay: (request) => {
      const [handle, second] = chosen(handles(), request);
      if (request.replay === undefined || handle === undefined || second !== undefined)
        throw badRequest('`replay` needs one pipeline, and what is to be sent again');
      return handle.replay(request.replay);
    },
    // Answers once it is stored, like `replay`.
    snapshot: (request) => {
      const [handle, second] = chosen(handles(), request);
      if (request.snapshot === undefined || handle === undefined || second !== undefined)
        throw badRequest('`snapshot` needs one pipeline, and what is to be done with which tables');
      return handle.snapshot(request.snapshot);
    },
    // Answers when it is done, or after a while that it is not.
    dlq: (request) => {
      const [handle, second] = chosen(handles(), request),
        tools = handle === undefined ? null : letters(handle.name);
      if (request.letters === undefined || handle === undefined || second !== undefined || tools === null)
        throw badRequest('`dlq` needs one pipeline, and what is to be done with which letters');
      return jobs.ask(handle, tools, request.letters);
    },
    // Answers once the stop is under way: draining may take longer than a client waits.
    stop: (request) => {
      const stopping = chosen(handles(), request);
      for (const handle of stopping) void handle.stop();
      return { pid: process.pid, stopping: stopping.map((h) => h.name) };
    },
  };
}

function chosen(handles: readonly PipelineHandle[], { cmd, pipelines }: ControlRequest): readonly PipelineHandle[] {
  if (pipelines === undefined) return handles;
  const found = handles.filter((h) => pipelines.includes(h.name));
  // `status` asks every process and most will not have the pipeline; an order to nobody is a mistake.
  if (found.length === 0 && cmd !== 'status') {
    throw new CdcError('CONTROL_BAD_REQUEST', `This process runs none of: ${pipelines.join(', ')}`, {
      fix: 'Ask `cdc-run status` which pipelines run.',
    });
  }
  return found;
}

/** Checks the shape of an answer that came over a socket, as far as it is relied on. */
export function isStatusAnswer(value: unknown): value is StatusAnswer {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, pipelines } = value as Partial<StatusAnswer>;
  return (
    typeof pid === 'number' &&
    Array.isArray(pipelines) &&
    pipelines.every((p) => typeof p === 'object' && p !== null && typeof p.name === 'string')
  );
}
