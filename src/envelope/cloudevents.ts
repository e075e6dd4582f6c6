// The `cloudevents` shape: CloudEvents 1.0 in structured JSON around the payload of our debezium envelope.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/partitioning.md

import { type ChangeEvent, Default, Keys, Type } from '../sdk/index.ts';
import { decodePayload } from './debezium/decode.ts';
import { DebeziumEnvelope } from './debezium/encode.ts';
import type { DecodedRecord, EnvelopeContext, ReadableShape } from './envelope.ts';
import { jsonString } from './json.ts';
import { asRow, asText, invalid, parseJson } from './parse-json.ts';
import { type EventWriter, PerEventEnvelope, PlainTable, parseRfc3339, Rfc3339 } from './per-event.ts';

const cloudeventsOptions = Keys(
  {
    type_prefix: Default(
      Type.String({
        minLength: 1,
        description:
          'Start of `type`; the operation follows: `cdc-run.change.update`. The specification suggests a domain name of yours in reverse.',
        examples: ['com.example.shop'],
      }),
      'cdc-run.change',
    ),
  },
  { description: 'CloudEvents 1.0, structured mode, with before, after, source, op, ts_ms and transaction as data.' },
);

const TYPES = { c: 'create', r: 'read', u: 'update', d: 'delete', t: 'truncate', m: null, s: null } as const;

/** encodeURIComponent throws for lone surrogates, which the way through UTF-8 replaces. */
const uriPart = (text: string): string => encodeURIComponent(Buffer.from(text).toString());

const CONTENT_TYPE = Buffer.from('","datacontenttype":"application/json"');

class CloudEventsTable extends PlainTable {
  /** `,"source":"/cdc-run/pipeline/source","type":"` and `","subject":"public.orders","time":"` */
  readonly source: Uint8Array;
  readonly subject: Uint8Array;
  constructor(event: ChangeEvent, ctx: EnvelopeContext, typePrefix: string) {
    super(event);
    const source = `/cdc-run/${uriPart(ctx.pipeline)}/${uriPart(event.source)}`;
    this.source = Buffer.from(`,"source":${jsonString(source)},"type":"${jsonString(typePrefix).slice(1, -1)}.`);
    this.subject = Buffer.from(`","subject":${jsonString(this.topic)},"time":"`);
  }
}

function writerFor(typePrefix: string, ctx: EnvelopeContext): EventWriter<CloudEventsTable> {
  const time = new Rfc3339();
  const data = new DebeziumEnvelope(
    { compatible: false, schemas: false, tombstones_on_delete: false, provide_transaction_metadata: false },
    ctx,
  );
  let endings = data.endings();
  return {
    headers: { 'content-type': 'application/cloudevents+json; charset=UTF-8' },
    begin() {
      endings = data.endings();
    },
    prepare: (event) => new CloudEventsTable(event, ctx, typePrefix),
    value(json, event, table, key) {
      const type = TYPES[event.op];
      if (type === null) return false;
      json.text('{"specversion":"1.0","id":');
      json.string(event.id);
      json.raw(table.source);
      json.text(type);
      json.raw(table.subject);
      json.text(time.text(event.sourceTsMs));
      json.raw(CONTENT_TYPE);
      if (key !== null) {
        json.text(',"partitionkey":');
        json.string(Buffer.from(key.buffer, key.byteOffset, key.length).toString());
      }
      json.text(',"data":');
      data.writePayload(json, event, endings);
      json.text('}');
      return true;
    },
  };
}

function decode(value: Uint8Array, key: Uint8Array | null): DecodedRecord {
  const record = asRow(parseJson(value, 'a cloudevents record'), 'a cloudevents record');
  if (record?.specversion !== '1.0') throw invalid('Expected "specversion" to be "1.0" in a cloudevents record.');
  const partitionKey = asText(record.partitionkey);
  const keyBytes = key ?? (partitionKey === null ? null : Buffer.from(partitionKey));
  const decoded = decodePayload(record.data, undefined, keyBytes);
  return { ...decoded, sourceTsMs: decoded.sourceTsMs ?? parseRfc3339(asText(record.time)), id: asText(record.id) };
}

export const cloudevents: ReadableShape<typeof cloudeventsOptions> = {
  options: cloudeventsOptions,
  create: (options, ctx) => new PerEventEnvelope(writerFor(options.type_prefix, ctx)),
  decode,
};
