// The door to the envelopes: one list of shapes, and what callers need of it.

import type { Static, TObject } from '../sdk/index.ts';
import { cdcEvent } from './cdc-event.ts';
import { cloudevents } from './cloudevents.ts';
import { debezium } from './debezium.ts';
import { elide } from './elide.ts';
import type { DecodedRecord, Envelope, EnvelopeContext, EnvelopeShape, ReadableShape } from './envelope.ts';
import { plain } from './plain.ts';
import { row } from './row.ts';
import { syncEvent } from './sync-event.ts';

/** Those that say what changed: their records can be read back. */
export const EVENT_ENVELOPES = ['debezium', 'plain', 'cdc_event', 'sync_event', 'elide', 'cloudevents'] as const;
export type EventEnvelope = (typeof EVENT_ENVELOPES)[number];
export const ENVELOPE_TYPES = [...EVENT_ENVELOPES, 'row'] as const;
export type EnvelopeType = (typeof ENVELOPE_TYPES)[number];

const READABLE = { debezium, plain, cdc_event: cdcEvent, sync_event: syncEvent, elide, cloudevents } as const satisfies Record<
  EventEnvelope,
  unknown
>;
const SHAPES = { ...READABLE, row } as const satisfies Record<EnvelopeType, unknown>;

/** The shape of a type; the options are validated by its schema before they reach it. */
function shapeOf(type: EnvelopeType): EnvelopeShape<TObject> {
  return SHAPES[type] as unknown as EnvelopeShape<TObject>;
}

/** The schema of a type's options: what the config loader validates and the reference pages show. */
export function envelopeOptions(type: EnvelopeType): TObject {
  return shapeOf(type).options;
}

/** An encoder. `options` are valid for `envelopeOptions(type)`; defaults are filled in here once more, for callers without the loader. */
export function createEnvelope(
  config: { readonly type: EnvelopeType; readonly options: Readonly<Record<string, unknown>> },
  ctx: EnvelopeContext,
): Envelope {
  const shape = shapeOf(config.type),
    options: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(shape.options.properties)) {
    const value = config.options[name] ?? (schema.default as unknown);
    if (value !== undefined) options[name] = value;
  }
  return shape.create(options as Static<TObject>, ctx);
}

/** A record of another system back to what it says. Throws `SOURCE_DATA_INVALID`. A tombstone has no value and is not for this function. */
export function decodeEnvelope(type: EventEnvelope, value: Uint8Array, key: Uint8Array | null = null): DecodedRecord {
  return (READABLE[type] as unknown as ReadableShape).decode(value, key);
}
