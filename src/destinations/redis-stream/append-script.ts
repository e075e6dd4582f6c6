// The script that appends a batch and moves the point. Before its first write it looks at all that could refuse a later one, since
// what a script has written stays when it fails: the fence, the types of the streams. Lack of memory refuses the first write only:
// once a script has written, the server lets it end (scriptCall, "SCRIPT_WRITE_DIRTY" in the server's script.c).

import { FENCE } from '../../systems/redis/points.ts';
import { Script } from '../../systems/redis/script.ts';

/** KEYS: the point, the streams. ARGV: worker, epoch, previous point, point, longest stream (0 = any), entries as `Append` has them. */
export const APPEND = new Script(`${FENCE}
for i = 2, #KEYS do
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= 'stream' and found ~= 'none' then return {'type', KEYS[i], found} end
end
local i, last = 6, #ARGV
while i <= last do
  local stream = tonumber(ARGV[i])
  if stream then
    redis.call('XADD', KEYS[stream + 1], '*', 'id', ARGV[i + 1], 'key', ARGV[i + 2], 'value', ARGV[i + 3])
    i = i + 4
  else
    local number, count = string.match(ARGV[i], '^(%d+):(%d+)$')
    redis.call('XADD', KEYS[number + 1], '*', unpack(ARGV, i + 1, i + count))
    i = i + 1 + count
  end
end
if ARGV[5] ~= '0' then
  for k = 2, #KEYS do redis.call('XTRIM', KEYS[k], 'MAXLEN', '~', ARGV[5]) end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
return {'ok'}
`);
