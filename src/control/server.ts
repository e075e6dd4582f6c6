// The control socket of a running process: JSON lines over a Unix socket (mode 0600) or a named pipe. It answers questions and
// takes orders; a client that misbehaves gets an error and never harms the pipelines.

import { chmodSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { isMainThread } from 'node:worker_threads';
import { toCdcError } from '../sdk/errors.ts';
import type { Logger } from '../sdk/logger.ts';
import { listSockets, placeOf, preparePlace, type SocketPlace, socketPath } from './address.ts';
import {
  badRequest,
  type ControlAnswer,
  type ControlRequest,
  formatLine,
  LineSplitter,
  MAX_REQUEST_BYTES,
  parseRequest,
} from './protocol.ts';

/** What the commands do. A command that throws is answered with its error. */
export interface ControlCommands {
  readonly [cmd: string]: (request: ControlRequest) => unknown;
}

export interface ControlServer {
  readonly path: string;
  /** Closes all connections and removes the socket. */
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 32;
/** A client that neither asks nor reads for this long is hung up on. */
const IDLE_TIMEOUT_MS = 60_000;
/** More processes than this under one pid and state file do not exist. */
const MAX_ATTEMPTS = 8;

/** Listens beside the state file. Throws when it cannot: the caller decides whether the pipelines run without. */
export async function openControlServer(
  statePath: string,
  commands: ControlCommands,
  logger: Logger,
  pid = process.pid,
): Promise<ControlServer> {
  const place = placeOf(statePath);
  preparePlace(place);
  await removeStale(place);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(socket, commands, logger);
  });
  server.maxConnections = MAX_CONNECTIONS;
  const path = await listenAtFree(server, place, pid);
  // The socket alone must not keep the process alive: when the pipelines are done, it ends.
  server.unref();
  return {
    path,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        for (const socket of sockets) socket.destroy();
      }),
  };
}

async function listenAtFree(server: Server, place: SocketPlace, pid: number): Promise<string> {
  for (let attempt = 0; ; attempt += 1) {
    const path = socketPath(place, pid, attempt);
    try {
      await listen(server, path);
      return path;
    } catch (error) {
      const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!taken || attempt >= MAX_ATTEMPTS) throw error;
    }
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // The socket file is made inside `listen`, with the process's mask: without this there would be a moment in which others may connect.
    const mask = isMainThread && process.platform !== 'win32' ? process.umask(0o177) : null;
    try {
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      if (mask !== null) process.umask(mask);
    }
    if (mask === null && process.platform !== 'win32')
      server.once('listening', () => {
        chmodSync(path, 0o600);
      });
  });
}

/** Removes sockets whose process is gone (killed, or the machine went down): nobody answers a connection to them. */
async function removeStale(place: SocketPlace): Promise<void> {
  if (process.platform === 'win32') return;
  for (const path of listSockets(place)) {
    if (await answers(path)) continue;
    try {
      unlinkSync(path);
    } catch {
      // Another process that starts now has removed it first.
    }
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (alive: boolean) => (): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.once('connect', done(true));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // Only a refusal proves that nobody listens; not being permitted, or a full queue, does not.
      done(error.code !== 'ECONNREFUSED')();
    });
  });
}

function serve(socket: Socket, commands: ControlCommands, logger: Logger): void {
  const lines = new LineSplitter(MAX_REQUEST_BYTES);
  const send = (answer: ControlAnswer): void => {
    if (socket.writable) socket.write(formatLine(answer));
  };
  socket.setTimeout(IDLE_TIMEOUT_MS, () => {
    socket.destroy();
  });
  socket.on('error', (error) => {
    logger.debug('control socket: a connection broke', { error });
  });
  socket.on('data', (chunk: Buffer) => {
    try {
      for (const line of lines.push(chunk)) void answerLine(line, commands).then(send);
    } catch (error) {
      // The rest of an endless line would follow: answer and hang up.
      socket.end(formatLine({ id: null, ok: false, error: toCdcError(error).toJSON() }));
    }
  });
}

/** Never rejects: whatever goes wrong is the answer. */
async function answerLine(line: string, commands: ControlCommands): Promise<ControlAnswer> {
  let id: ControlRequest['id'] = null;
  try {
    const request = parseRequest(line);
    id = request.id;
    const command = Object.hasOwn(commands, request.cmd) ? commands[request.cmd] : undefined;
    if (command === undefined)
      throw badRequest(`unknown command ${JSON.stringify(request.cmd.slice(0, 40))}; there are: ${Object.keys(commands).join(', ')}`);
    return { id, ok: true, result: (await command(request)) ?? null };
  } catch (error) {
    return { id, ok: false, error: toCdcError(error).toJSON() };
  }
}
