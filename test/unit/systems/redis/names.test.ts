// Templates, hash tags, slots, URLs and what errors mean: everything about Redis that needs no server.

import { ReplyError } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { type ConnectionConfig, connectionProblems } from '../../../../src/systems/redis/config.ts';
import { parseNode, parseUrl } from '../../../../src/systems/redis/connection-url.ts';
import { classify } from '../../../../src/systems/redis/destination-errors.ts';
import { ConnectError, problemOf } from '../../../../src/systems/redis/driver-errors.ts';
import { slotOf } from '../../../../src/systems/redis/slot.ts';
import { commonTag, hashTag, parseTemplate } from '../../../../src/systems/redis/template.ts';

describe('a template', () => {
  it.each([
    ['events', [{ text: 'events' }]],
    ['cdc.{schema}.{table}', [{ text: 'cdc.' }, { word: 'schema' }, { text: '.' }, { word: 'table' }]],
    ['{{cdc}}:{table}', [{ text: '{cdc}:' }, { word: 'table' }]],
    ['event:{{{user_id}}}', [{ text: 'event:{' }, { word: 'user_id' }, { text: '}' }]],
  ])('reads %s', (template, parts) => {
    expect(parseTemplate(template)).toEqual(parts);
  });

  it.each(['a{', 'a}', '{}', '{a', '{a{b}}'])('refuses %s', (template) => {
    expect(parseTemplate(template)).toBeTypeOf('string');
  });

  it.each([
    ['events', 'events'],
    ['{{cdc}}:{table}', 'cdc'],
    ['x{{cdc}}:{table}', 'cdc'],
    ['cdc:{table}', null],
    ['{table}:{{cdc}}', null],
    ['odd}}name', null],
  ])('of all names of %s the slot is that of %s', (template, tag) => {
    expect(commonTag(parseTemplate(template) as never)).toBe(tag);
  });
});

describe('a slot', () => {
  // CLUSTER KEYSLOT of a server.
  it.each([
    ['123456789', 12739],
    ['foo', 12182],
    ['{user1000}.following', 3443],
    ['user1000', 3443],
    ['foo{}{bar}', 8363],
    ['foo{{bar}}zap', 4015],
    ['foo{bar}{zap}', 5061],
    ['', 0],
  ])('of %s is %i', (key, slot) => {
    expect(slotOf(key)).toBe(slot);
  });

  it('is made of what stands in the first braces', () => {
    expect(['a{b}c{d}', 'a{}b', 'a}b{c}', '{a'].map(hashTag)).toEqual(['b', 'a{}b', 'c', '{a']);
  });
});

describe('a URL', () => {
  it.each([
    ['redis://h', { host: 'h' }],
    ['redis://u:p%40@h:1/2', { host: 'h', port: 1, db: 2, username: 'u', password: 'p@' }],
    ['rediss://:p@[::1]:7/', { host: '::1', port: 7, password: 'p', tls: true }],
  ])('is read: %s', (url, parts) => {
    expect(parseUrl(url)).toEqual(parts);
  });

  it.each(['http://h', 'redis://h/x', 'redis://h?db=1', 'redis://u:%zz@h', 'redis://h:x'])('is refused without being quoted: %s', (url) => {
    const problem = parseUrl(url);
    expect(problem).toBeTypeOf('string');
    expect(problem).not.toContain(url);
  });

  it('is one of several ways to name a node', () => {
    expect([parseNode('a:1', 0), parseNode('a', 0), parseNode('[::1]:9', 0), parseNode('a', 26_379)]).toEqual([
      { host: 'a', port: 1 },
      { host: 'a', port: 6379 },
      { host: '::1', port: 9 },
      { host: 'a', port: 26_379 },
    ]);
    expect([parseNode('a:', 0), parseNode('a:99999', 0), parseNode('a b', 0), parseNode('', 0)]).toEqual([null, null, null, null]);
  });
});

describe('the keys of a connection', () => {
  const base = { connection_timeout: 1, command_timeout: 1 };
  it.each<[string, Partial<ConnectionConfig>, (string | number)[][]]>([
    ['a URL beside its parts', { url: 'redis://h', host: 'h' }, [['host']]],
    ['a server and a cluster', { host: 'h', cluster: { nodes: ['a:1'] } }, [['cluster']]],
    ['sentinels and a cluster', { sentinel: { master: 'm', nodes: ['a:1'], tls: false }, cluster: { nodes: ['a:1'] } }, [['cluster']]],
    ['a database of a cluster', { db: 1, cluster: { nodes: ['a:1'] } }, [['cluster']]],
    ['a node that is none', { cluster: { nodes: ['a:b'] } }, [['cluster', 'nodes', 0]]],
    ['a certificate without its key', { tls: { cert: 'c', verify: true } }, [['tls']]],
    ['a server alone', { host: 'h', port: 1, db: 3, tls: true }, []],
  ])('are looked at: %s', (_, config, paths) => {
    expect(connectionProblems({ ...base, ...config } as ConnectionConfig).map((p) => p.path)).toEqual(paths);
  });
});

describe('an error', () => {
  const reply = (message: string): Error => new ReplyError(message);
  it.each([
    [
      "OOM command not allowed when used memory > 'maxmemory'. script: 0123456789012345678901234567890123456789, on @user_script:1.",
      'full',
    ],
    ["READONLY You can't write against a read only replica. script: x", 'away'],
    ['LOADING Redis is loading the dataset in memory', 'away'],
    ['MOVED 12182 127.0.0.1:7002', 'away'],
    ['CLUSTERDOWN The cluster is down', 'away'],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'wrong_type'],
    ['NOAUTH Authentication required.', 'login'],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'login'],
    ["NOPERM this user has no permissions to run the 'xadd' command", 'permission'],
    ["ERR ACL failure in script: The user executing the script can't run this command or subcommand script: x", 'permission'],
    ['MISCONF Errors writing to the AOF file: No space left on device', 'full'],
    ['NOGROUP No such key', 'no_group'],
    ['ERR max number of clients reached', 'away'],
    ['ERR syntax error', 'other'],
  ])('of the server is understood: %s', (message, kind) => {
    expect(problemOf(reply(message)).kind).toBe(kind);
  });

  it('leaves the outcome of a write unknown when the connection breaks, and only then', () => {
    const lost = new Error('Connection is closed.'),
      refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    expect(classify(lost, 's', 'w', true)).toMatchObject({ code: 'DESTINATION_OUTCOME_UNKNOWN', retriable: true });
    expect(classify(lost, 's', 'w', false)).toMatchObject({ code: 'DESTINATION_UNREACHABLE', retriable: true });
    expect(classify(new ConnectError('', { cause: refused }), 's', 'w', true)).toMatchObject({ code: 'DESTINATION_UNREACHABLE' });
  });

  it('is told without arguments of the command', () => {
    const { detail } = problemOf(reply("ERR unknown command 'X', with args beginning with: 'secret' "));
    expect(detail).toBe("ERR unknown command 'X'");
  });
});
