// Places in Kafka: the offset of a message within its partition, which is called `topic/number`.
//
// | partition | offset | position |
// |---|---|---|
// | 3 of `user_events` | 42 | `0000000000000042` in `user_events/3` |

import { type Position, type PositionCodec, positionOfNumber, sortablePositions } from '../../../sdk/index.ts';
import type { TopicPartition } from '../client.ts';

export const partitionName = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

/** A place stands for all up to its offset: reading goes on behind it. */
export const positionOf = (offset: bigint | string): Position =>
  // Below 10^15 a number is exact, and made in a third of the time.
  positionOfNumber(typeof offset !== 'string' ? offset : offset.length <= 15 ? Number(offset) : BigInt(offset));
export const offsetOf = (position: Position): bigint => BigInt(position);

export const kafkaPositions: PositionCodec = {
  ...sortablePositions('offset'),
  describe: (position) => `offset ${offsetOf(position)}`,
  parse: (text) => (/^\d{1,16}$/.test(text) ? positionOfNumber(BigInt(text)) : null),
  fields: (position) => ({ offset: offsetOf(position) }),
};
