// The `row` shape: the row after the change and nothing about the change; a delete is a key without a value. For stores and topics
// that hold the newest row of each key.
//
// | event | records |
// |---|---|
// | `c`, `u`, `r` | the row; an incomplete one has the columns that the source sent |
// | `u` that changes the key | the old key without a value, then the row |
// | `d` | the key without a value; none where the table has no key |
// | `t`, `m`, `s` | none: they are no rows |

import { type ChangeEvent, type EncodedBatch, Keys } from '../sdk/index.ts';
import { ChunkPool } from './chunk-pool.ts';
import type { Envelope, EnvelopeShape } from './envelope.ts';
import { PlainTable } from './per-event.ts';
import { RecordWriter } from './record-writer.ts';
import { TableCache } from './table-cache.ts';

const rowOptions = Keys(
  {},
  { description: 'The row after the change, without anything about the change. A delete is a key without a value.' },
);

class RowEnvelope implements Envelope {
  readonly #tables = new TableCache((event) => new PlainTable(event));
  readonly #pool = new ChunkPool();

  encode(events: readonly ChangeEvent[]): EncodedBatch {
    const out = new RecordWriter(events.length, this.#pool);
    for (let i = 0; i < events.length; i++) {
      const event = events[i] as ChangeEvent;
      if (event.op === 't' || event.op === 'm' || event.op === 's') continue;
      this.#event(event, i, this.#tables.get(event), out);
    }
    return out.finish();
  }

  #event(event: ChangeEvent, index: number, { topic, keys, rows }: PlainTable, out: RecordWriter): void {
    const { headers, sourceTsMs } = event;
    if (event.op === 'd') {
      if (keys.write(out.keys, event)) out.addKey(index, topic, headers, sourceTsMs);
      return;
    }
    const { oldKey } = event;
    if (oldKey !== null && keys.writeKey(out.keys, oldKey)) out.addKey(index, topic, headers, sourceTsMs);
    const hasKey = keys.write(out.keys, event);
    out.values.begin();
    rows.side(out.values, event, 'after', event.incomplete);
    out.add(index, topic, hasKey, headers, sourceTsMs);
  }
}

export const row: EnvelopeShape<typeof rowOptions> = { options: rowOptions, create: () => new RowEnvelope() };
