// The `null` destination: counts what it gets and forgets it. For benchmarks, and to try a source or a transformer.

import {
  type Committed,
  type ComponentContext,
  type ConfigOf,
  Default,
  type Destination,
  defineDestination,
  type EncodedBatch,
  type Finding,
  Keys,
  type LaneBatch,
  Type,
  type WriteResult,
} from '../../sdk/index.ts';

const configSchema = Keys(
  {
    encode: Default(
      Type.Boolean({
        description: 'Encode the events before they are dropped, as a destination that sends bytes would.',
        examples: [true],
      }),
      false,
    ),
  },
  { description: 'Drops what it gets, and counts it.' },
);

type NullConfig = ConfigOf<typeof configSchema>;

export class NullDestination implements Destination {
  readonly #config: NullConfig;
  readonly #ctx: ComponentContext;
  #events = 0;
  #bytes = 0;

  constructor(config: NullConfig, ctx: ComponentContext) {
    this.#config = config;
    this.#ctx = ctx;
  }

  /** What was dropped so far; bytes only with `encode`. */
  get dropped(): { readonly events: number; readonly bytes: number } {
    return { events: this.#events, bytes: this.#bytes };
  }

  async *check(): AsyncIterable<Finding> {
    yield { level: 'ok', check: 'null', message: 'drops everything' };
  }

  async committed(): Promise<Committed> {
    return { kind: 'untracked' };
  }

  async write(batch: LaneBatch): Promise<WriteResult> {
    if (this.#config.encode) this.#bytes += bytesOf(batch.encoded());
    this.#events += batch.events.length - batch.skip.size;
    return { kind: 'stored' };
  }

  async close(): Promise<void> {
    this.#ctx.logger.debug('dropped', this.dropped);
  }
}

/** Of the values, without looking at each where they need not be. */
function bytesOf(encoded: EncodedBatch): number {
  const { lines, event } = encoded;
  let bytes = 0;
  if (lines === undefined) for (const one of encoded.value) bytes += one?.length ?? 0;
  else
    for (let i = 0; i < event.length; i++)
      if ((lines.buffer[i] as number) >= 0) bytes += (lines.end[i] as number) - (lines.start[i] as number) - 1;
  return bytes;
}

export const descriptor = defineDestination({
  type: 'null',
  title: 'Drops what it gets, and counts it',
  config: configSchema,
  capabilities: (config) => ({
    holdsPoint: false,
    idempotent: true,
    input: config.encode ? 'bytes' : 'rows',
    keyless: true,
    maxInFlight: 1,
    creates: [],
  }),
  create: async (config, ctx) => new NullDestination(config, ctx),
});
