// The scripts that write a batch of keys. Before the first write they look at all that could refuse a later one, since what a
// script has written stays when it fails: patches need a hash that is there. Everything else replaces whatever a key holds.

import { FENCE } from '../../systems/redis/points.ts';
import { Script, type ScriptArgument } from '../../systems/redis/script.ts';
import type { Field, KeyWrite } from './encode.ts';

/**
 * From ARGV[first] on, per key of KEYS[offset + 1] and following: `t` text | `r` | `h` count name value … | `p` or `m` (may be missing)
 * count name value … removed-count name … | `v`: moves to the next key, which has a `p` or `m`.
 * ARGV[first - 1]: time to live in milliseconds, 0 = for ever.
 */
const apply = (offset: number, first: number): string => `
local i, ttl = ${first}, ARGV[${first - 1}]
local missing, absent, types = {'missing'}, {}, {}
for k = ${offset + 1}, #KEYS do
  local key, what = KEYS[k], ARGV[i]
  if what == 'r' then types[key] = 'none'; i = i + 1
  elseif what == 't' then types[key] = 'string'; i = i + 2
  elseif what == 'h' then types[key] = 'hash'; i = i + 2 + ARGV[i + 1]
  else
    local found = types[key] or redis.call('TYPE', key).ok
    local may = what == 'm' or (what == 'v' and ARGV[i + 1] == 'm')
    if found ~= 'hash' then
      if found == 'none' and may then absent[k] = true else missing[#missing + 1] = tostring(k - ${offset + 1}) end
    end
    if what == 'v' then
      if found == 'hash' then types[key] = 'none'; types[KEYS[k + 1]] = 'hash' end
      i = i + 1
    else
      i = i + 2 + ARGV[i + 1]
      i = i + 1 + ARGV[i]
    end
  end
end
if #missing > 1 then return missing end
local function set(key, at, count)
  for from = at, at + count - 1, 1000 do
    redis.call('HSET', key, unpack(ARGV, from, math.min(from + 999, at + count - 1)))
  end
end
i = ${first}
for k = ${offset + 1}, #KEYS do
  local key, what = KEYS[k], ARGV[i]
  if what == 'r' then
    redis.call('UNLINK', key)
    i = i + 1
  elseif what == 't' then
    if ttl == '0' then redis.call('SET', key, ARGV[i + 1]) else redis.call('SET', key, ARGV[i + 1], 'PX', ttl) end
    i = i + 2
  elseif what == 'v' then
    if not absent[k] then redis.call('RENAME', key, KEYS[k + 1]) end
    i = i + 1
  else
    local count = tonumber(ARGV[i + 1])
    if not absent[k] then
      if what == 'h' then redis.call('UNLINK', key) end
      set(key, i + 2, count)
    end
    i = i + 2 + count
    if what ~= 'h' then
      local gone = tonumber(ARGV[i])
      if not absent[k] then for f = i + 1, i + gone do redis.call('HDEL', key, ARGV[f]) end end
      i = i + 1 + gone
    end
    if ttl ~= '0' and not absent[k] then redis.call('PEXPIRE', key, ttl) end
  end
end
`;

/** KEYS: the point, the keys. ARGV: worker, epoch, previous point, point, time to live, then as `apply` has it. */
export const WRITE_FENCED = new Script(`${FENCE}${apply(1, 6)}
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
return {'ok'}
`);

/** KEYS: the keys. ARGV: time to live, then as `apply` has it. */
export const WRITE = new Script(`${apply(0, 2)}
return {'ok'}
`);

/** KEYS: the point. ARGV: worker, epoch, previous point, point, then channel and message in turn. */
export const PUBLISH_FENCED = new Script(`${FENCE}
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
for i = 5, #ARGV, 2 do redis.call('PUBLISH', ARGV[i], ARGV[i + 1]) end
return {'ok'}
`);

export const PUBLISH = new Script(`
for i = 1, #ARGV, 2 do redis.call('PUBLISH', ARGV[i], ARGV[i + 1]) end
return {'ok'}
`);

export function argumentsOf(writes: readonly KeyWrite[]): ScriptArgument[] {
  const args: ScriptArgument[] = [];
  for (const write of writes) {
    const { kind, text, fields } = write;
    const present = fields.filter((f): f is readonly [string, string | Buffer] => f[1] !== null);
    if (kind === 'move') args.push('v');
    else if (text !== null) args.push('t', text);
    // A hash without fields is none.
    else if (kind === 'remove' || (kind === 'put' && present.length === 0)) args.push('r');
    else args.push(letterOf(write), present.length * 2, ...present.flat(), ...(kind === 'patch' ? goneOf(fields) : []));
  }
  return args;
}

function letterOf({ kind, mayBeMissing }: KeyWrite): 'h' | 'm' | 'p' {
  if (kind === 'put') return 'h';
  return mayBeMissing ? 'm' : 'p';
}

function goneOf(fields: readonly Field[]): ScriptArgument[] {
  const gone = fields.filter(([, value]) => value === null).map(([name]) => name);
  return [gone.length, ...gone];
}
