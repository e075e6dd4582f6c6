import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listSockets, placeOf, socketPath } from '../../../src/control/address.ts';
import { ask, askAll } from '../../../src/control/client.ts';
import { controlCommands, isStatusAnswer } from '../../../src/control/commands.ts';
import { LineSplitter, MAX_REQUEST_BYTES, parseRequest } from '../../../src/control/protocol.ts';
import { type ControlCommands, openControlServer } from '../../../src/control/server.ts';
import type { ReplayAsk } from '../../../src/engine/replay-plan.ts';
import type { SnapshotAsk } from '../../../src/engine/snapshot-ask.ts';
import { CdcError, type Clock, silentLogger } from '../../../src/sdk/index.ts';
import { fakeHandle, fakeStatus, stoppedClock } from '../observability/fake-status.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdc-control-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const patient = { clock: stoppedClock, timeoutMs: 1000 };
const open = (commands: ControlCommands, pid?: number, state = join(folder, 'state.db')) =>
  openControlServer(state, commands, silentLogger, pid);

/** Sends raw bytes and returns everything that came back until the other side hung up or `lines` lines were there. */
function send(path: string, bytes: string | Buffer, lines: number): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let text = '';
    const done = (): void => {
      socket.destroy();
      resolve(
        text
          .split('\n')
          .filter((l) => l !== '')
          .map((l) => JSON.parse(l) as unknown),
      );
    };
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.split('\n').length > lines) done();
    });
    socket.on('close', done);
    socket.on('error', reject);
    socket.write(bytes);
  });
}

describe('the control socket', () => {
  it('answers with the status of the pipelines, all or those named', async () => {
    const handles = [fakeHandle(fakeStatus()), fakeHandle(fakeStatus({ name: 'crm' }))];
    const server = await open(controlCommands(() => handles));
    const all = await ask(server.path, { cmd: 'status' }, patient);
    expect(isStatusAnswer(all)).toBe(true);
    expect(all).toMatchObject({ pid: process.pid, pipelines: [{ name: 'orders', lanes: [{ delivered: 12 }] }, { name: 'crm' }] });
    expect(await ask(server.path, { cmd: 'status', pipelines: ['crm'] }, patient)).toMatchObject({ pipelines: [{ name: 'crm' }] });
    await server.close();
  });

  it('stops pipelines, and refuses to stop what it does not run', async () => {
    const handle = fakeHandle(fakeStatus());
    const server = await open(controlCommands(() => [handle]));
    expect(await ask(server.path, { cmd: 'stop' }, patient)).toEqual({ pid: process.pid, stopping: ['orders'] });
    await expect(ask(server.path, { cmd: 'stop', pipelines: ['crm'] }, patient)).rejects.toMatchObject({ code: 'CONTROL_BAD_REQUEST' });
    expect(handle.stops).toBe(1);
    await server.close();
  });

  it('hands a request about snapshots to its pipeline, and refuses what is none', async () => {
    const asked: SnapshotAsk[] = [];
    const handle = {
      ...fakeHandle(fakeStatus()),
      snapshot: async (request: SnapshotAsk) => {
        asked.push(request);
        return { source: 'shop', tables: ['public.items'] };
      },
    };
    const server = await open(controlCommands(() => [handle]));
    const snapshot: SnapshotAsk = { id: 'r1', source: null, action: 'begin', tables: ['items'], where: null };
    expect(await ask(server.path, { cmd: 'snapshot', pipelines: ['orders'], snapshot }, patient)).toEqual({
      source: 'shop',
      tables: ['public.items'],
    });
    expect(asked).toEqual([snapshot]);
    for (const wrong of [{ ...snapshot, action: 'drop' }, { ...snapshot, tables: [] }, { ...snapshot, where: 3 }, { id: 'r1' }, null])
      await expect(ask(server.path, { cmd: 'snapshot', pipelines: ['orders'], snapshot: wrong as never }, patient)).rejects.toMatchObject({
        code: 'CONTROL_BAD_REQUEST',
      });
    expect(asked).toHaveLength(1);
    await server.close();
  });

  it('hands a replay to its pipeline, and refuses what is none', async () => {
    const asked: unknown[] = [];
    const handle = {
      ...fakeHandle(fakeStatus()),
      replay: async (ask: ReplayAsk) => {
        asked.push(ask);
        return { request: { log: 'l', from: 3, to: null, next: 3, tables: [] }, end: 9, notes: [] };
      },
    };
    const server = await open(controlCommands(() => [handle]));
    const replay = { destination: 'replica', from: 3, to: null, tables: ['orders'], force: false };
    expect(await ask(server.path, { cmd: 'replay', pipelines: ['orders'], replay }, patient)).toMatchObject({ end: 9 });
    expect(asked).toEqual([replay]);
    for (const wrong of [{ ...replay, from: '3' }, { ...replay, tables: [1] }, { from: 3 }, null])
      await expect(ask(server.path, { cmd: 'replay', pipelines: ['orders'], replay: wrong as never }, patient)).rejects.toMatchObject({
        code: 'CONTROL_BAD_REQUEST',
      });
    await expect(ask(server.path, { cmd: 'replay' }, patient)).rejects.toMatchObject({ code: 'CONTROL_BAD_REQUEST' });
    expect(asked).toHaveLength(1);
    await server.close();
  });

  it('is readable by its owner alone', async () => {
    const server = await open({});
    expect(statSync(server.path).mode & 0o777).toBe(0o600);
    await server.close();
  });

  it('is gone once it is closed', async () => {
    const server = await open({});
    await server.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    ['text that is not JSON', 'hello\n', 'the line is not JSON'],
    ['a list', '[1]\n', 'not a JSON object'],
    ['no command', '{"id":7}\n', '`cmd` is missing'],
    ['an unknown command', '{"id":7,"cmd":"stat"}\n', 'unknown command "stat"'],
    ['a command named like an inherited property', '{"id":7,"cmd":"constructor"}\n', 'unknown command'],
    ['names that are none', '{"id":7,"cmd":"status","pipelines":[1]}\n', 'not a list of names'],
    ['invalid UTF-8', Buffer.from([0xff, 0xfe, 10]), 'the line is not JSON'],
  ])('answers %s with an error and goes on', async (_title, bytes, message) => {
    const server = await open(controlCommands(() => []));
    const [answer] = await send(server.path, bytes, 1);
    expect(answer).toMatchObject({ ok: false, error: { code: 'CONTROL_BAD_REQUEST', message: expect.stringContaining(message) } });
    expect(await ask(server.path, { cmd: 'ping' }, patient)).toEqual({ pid: process.pid });
    await server.close();
  });

  it('answers several requests of one connection, each with its id', async () => {
    const server = await open(controlCommands(() => []));
    const answers = await send(server.path, '{"id":1,"cmd":"ping"}\n\n{"id":"b","cmd":"ping"}\n', 2);
    expect(answers).toMatchObject([
      { id: 1, ok: true },
      { id: 'b', ok: true },
    ]);
    await server.close();
  });

  it('hangs up on a line without end instead of collecting it', async () => {
    const server = await open({});
    const answers = await send(server.path, Buffer.alloc(MAX_REQUEST_BYTES + 1, 'x'), 1);
    expect(answers).toMatchObject([{ ok: false, error: { message: expect.stringContaining('longer than') } }]);
    await server.close();
  });

  it('answers with the error of a command that throws', async () => {
    const server = await open({
      broken: () => {
        throw new CdcError('STATE_UNAVAILABLE', 'no space', { fix: 'Make room.' });
      },
    });
    await expect(ask(server.path, { cmd: 'broken' }, patient)).rejects.toMatchObject({
      code: 'STATE_UNAVAILABLE',
      message: 'no space',
      fix: 'Make room.',
    });
    await server.close();
  });

  it('replaces a socket that was left behind by a killed process', async () => {
    const place = placeOf(join(folder, 'state.db'));
    await leaveBehind(socketPath(place, 999));
    await leaveBehind(socketPath(place, process.pid));
    const server = await open({ ping: () => 'pong' });
    expect(listSockets(place)).toEqual([server.path]);
    expect(await ask(server.path, { cmd: 'ping' }, patient)).toBe('pong');
    await server.close();
  });

  it('lets several processes listen beside one state file, even with the same process id', async () => {
    const servers = [await open({ who: () => 'a' }, 1), await open({ who: () => 'b' }, 1), await open({ who: () => 'c' }, 2)];
    expect([...(await askAll(join(folder, 'state.db'), { cmd: 'who' }, patient))].sort()).toEqual(['a', 'b', 'c']);
    for (const server of servers) await server.close();
  });
});

/** Makes a socket file that nobody listens on: its server is moved away, so that closing it removes another name. */
async function leaveBehind(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(`${path}.tmp`, resolve);
  });
  const { linkSync } = await import('node:fs');
  linkSync(`${path}.tmp`, path);
  await new Promise((resolve) => {
    server.close(resolve);
  });
}

describe('askAll', () => {
  it('leaves out processes that are gone or answer with an error', async () => {
    const state = join(folder, 'state.db');
    await leaveBehind(socketPath(placeOf(state), 999));
    const good = await open({ status: () => 1 }, 5);
    const bad = await open({}, 6);
    expect(await askAll(state, { cmd: 'status' }, patient)).toEqual([1]);
    await good.close();
    await bad.close();
  });

  it('finds nothing where there is nothing', async () => {
    expect(await askAll(join(folder, 'none', 'state.db'), { cmd: 'status' }, patient)).toEqual([]);
  });
});

describe('ask', () => {
  it('gives up on a process that does not answer in time', async () => {
    const server = await open({ hang: () => new Promise(() => {}) });
    const hasty: Clock = { now: () => 0, sleep: () => Promise.resolve() };
    await expect(ask(server.path, { cmd: 'hang' }, { clock: hasty, timeoutMs: 50 })).rejects.toMatchObject({
      code: 'CONTROL_UNREACHABLE',
      message: expect.stringContaining('50 ms'),
    });
    await server.close();
  });

  it('says that nobody is there', async () => {
    await expect(ask(join(folder, 'no.sock'), { cmd: 'status' }, patient)).rejects.toMatchObject({ code: 'CONTROL_UNREACHABLE' });
  });
});

describe('the place of control sockets', () => {
  it('is beside the state file, and the same for every name of it', () => {
    mkdirSync(join(folder, 'real'));
    writeFileSync(join(folder, 'real', 'state.db'), '');
    symlinkSync(join(folder, 'real'), join(folder, 'link'));
    expect(socketPath(placeOf(join(folder, 'real', 'state.db')), 4711)).toBe(join(folder, 'real', 'state.db.4711.sock'));
    expect(placeOf(join(folder, 'link', 'state.db'))).toEqual(placeOf(join(folder, 'real', 'state.db')));
    expect(placeOf(join(folder, 'link', 'new.db'))).toEqual(placeOf(join(folder, 'real', 'new.db')));
  });

  it('is a folder of our own under the temporary one when the path is too long for a socket', async () => {
    const deep = join(folder, 'x'.repeat(60), 'y'.repeat(60));
    const state = join(deep, 'state.db');
    const server = await openControlServer(state, { ping: () => 'pong' }, silentLogger);
    expect(server.path).toMatch(/cdc-run-\d+\/[0-9a-f]{16}\.\d+\.sock$/);
    expect(Buffer.byteLength(server.path)).toBeLessThan(104);
    expect(statSync(join(server.path, '..')).mode & 0o777).toBe(0o700);
    expect(await askAll(state, { cmd: 'ping' }, patient)).toEqual(['pong']);
    await server.close();
  });

  it('is a named pipe on Windows', () => {
    const path = socketPath(placeOf('C:\\data\\state.db', 'win32'), 4711);
    expect(path).toMatch(/^\\\\\.\\pipe\\cdc-run-[0-9a-f]{16}\.4711$/);
  });

  it('takes no other file for a socket', () => {
    for (const name of [
      'state.db',
      'state.db-wal',
      'state.db.12.sock',
      'state.db.12-3.sock',
      'state.db.x.sock',
      'state.db.sock',
      'other.db.12.sock',
    ])
      writeFileSync(join(folder, name), '');
    expect(listSockets(placeOf(join(folder, 'state.db'))).map((path) => path.slice(folder.length + 1))).toEqual([
      'state.db.12-3.sock',
      'state.db.12.sock',
    ]);
  });
});

describe('LineSplitter', () => {
  it('gives the same lines however the bytes are cut', () => {
    const bytes = Buffer.from('{"id":1}\n\n{"id":"ü"}\n{"part');
    for (let size = 1; size <= bytes.length; size++) {
      const lines = new LineSplitter(100);
      const found: string[] = [];
      for (let at = 0; at < bytes.length; at += size) found.push(...lines.push(bytes.subarray(at, at + size)));
      expect(found).toEqual(['{"id":1}', '{"id":"ü"}']);
    }
  });

  it('takes a line of exactly the limit and no more', () => {
    expect(new LineSplitter(4).push(Buffer.from('abcd\n'))).toEqual(['abcd']);
    expect(() => new LineSplitter(4).push(Buffer.from('abcde\n'))).toThrow('longer than 4 bytes');
  });
});

describe('parseRequest', () => {
  it('reads id, command and names', () => {
    expect(parseRequest('{"id":1,"cmd":"status","pipelines":["a"],"extra":true}')).toEqual({ id: 1, cmd: 'status', pipelines: ['a'] });
    expect(parseRequest('{"cmd":"ping"}')).toEqual({ id: null, cmd: 'ping' });
  });
});
