// The lane's points, kept in a hash beside the data and fenced by epoch: what makes delivery effectively-once. One key per lane,
// with the field `epoch` of the last claim and a field per worker slot that holds the canonical text of `formatPoint`, so the fence
// compares texts. Scripts only: each runs whole or not at all.

import { CdcError, type Committed, formatPoint, type LaneId, parsePoint, type ResumePoint } from '../../sdk/index.ts';
import type { Client } from './client.ts';
import { Script } from './script.ts';

/** Before anything else in a script that writes: KEYS[1] the hash, ARGV[1] worker, [2] epoch, [3] the point it continues from. */
export const FENCE = `
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch ~= ARGV[2] or redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[3] then
  return {'fenced', epoch}
end
`;

const CLAIM = new Script(`
local held = redis.call('HGET', KEYS[1], 'epoch')
if held and tonumber(held) > tonumber(ARGV[1]) then return {'fenced', held} end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
return {'ok'}
`);

const REPLACE = new Script(`
local held = redis.call('HGET', KEYS[1], 'epoch')
if held ~= ARGV[1] then return {'fenced', held} end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if field ~= 'epoch' then redis.call('HDEL', KEYS[1], field) end
end
for i = 2, #ARGV do redis.call('HSET', KEYS[1], tostring(i - 2), ARGV[i]) end
return {'ok'}
`);

/** The key of a lane's points. `tag`: a cluster keeps it on the node of the data. */
export function pointKey({ pipeline, lane }: LaneId, tag: string | null): string {
  const id = `${encodeURIComponent(pipeline)}:${encodeURIComponent(lane)}`;
  return tag === null ? `cdc_run:point:${id}` : `cdc_run:point:{${tag}}:${id}`;
}

export async function readPoints(client: Client, key: string): Promise<Committed> {
  const { epoch = '0', ...rest } = await client.hgetall(key);
  const fields = Object.entries(rest).sort(([a], [b]) => Number(a) - Number(b));
  if (fields.length === 0) return { kind: 'empty', epoch: Number(epoch) };
  return { kind: 'points', epoch: Number(epoch), points: fields.map(([, text]) => parse(text, key)) };
}

/** Raises the epoch of the lane. */
export async function claimPoints(client: Client, key: string, epoch: number): Promise<void> {
  assertDone(await CLAIM.run(client, [key], [epoch]), key, epoch);
}

export async function replacePoints(client: Client, key: string, epoch: number, points: readonly ResumePoint[]): Promise<void> {
  assertDone(await REPLACE.run(client, [key], [epoch, ...points.map(formatPoint)]), key, epoch);
}

/** Throws `DESTINATION_FENCED` where a script says so; else what else it says. */
export function assertDone(result: unknown, key: string, epoch: number): readonly unknown[] {
  const [word, held] = result as [string, string | null | undefined];
  if (word !== 'fenced') return result as readonly unknown[];
  const found =
    held == null
      ? 'holds no point of this lane'
      : Number(held) === epoch
        ? 'holds another point than this run has written'
        : `holds epoch ${held}`;
  throw new CdcError('DESTINATION_FENCED', `The key ${key} ${found}; this run has epoch ${epoch}.`, {
    fix: 'Make sure that only one process runs this pipeline, then start it again.',
  });
}

function parse(text: string, key: string): ResumePoint {
  try {
    return parsePoint(text);
  } catch (cause) {
    throw new CdcError('DESTINATION_FAILED', `A point in the key ${key} cannot be read.`, {
      fix: 'Put the key back as it was from a backup.',
      cause,
    });
  }
}
