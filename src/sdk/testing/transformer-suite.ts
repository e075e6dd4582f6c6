// `describeTransformer`: the contract of transformers as a test suite. Pure: no upstream and no place to write.

import { describe, expect, it } from 'vitest';
import {
  ChangeEvent,
  isStateful,
  type PluginContext,
  type StatefulTransformer,
  type Transformer,
  type TransformerDescriptor,
  type TSchema,
} from '../index.ts';
import { Events, item } from './batches.ts';
import { testContext } from './reading.ts';
import { LINES } from './sample-tables.ts';

export interface TransformerHarness {
  /** The transformer's complete configuration: defaults filled in, units resolved. */
  readonly config: unknown;
  /** Events that it has something to do with; made anew at each call. Events of `items` unless given. */
  events?(): ChangeEvent[];
  /** The same input may give another output (sampling, a model). */
  readonly nondeterministic?: boolean;
  /** What paths of code in the configuration are relative to. */
  readonly baseDir?: string;
}

/** Every shape of event that a source may send. */
export function eventsOfEveryShape(): ChangeEvent[] {
  const e = new Events();
  return [
    e.create(item(1, 'one', 'a note')),
    e.update(item(1, 'one'), item(1, 'uno')),
    e.update(null, item(1, 'eins')),
    e.update(item(1, 'eins'), item(4, 'eins')),
    e.partial(null, { id: 4, name: 'vier' }),
    e.remove(item(4, 'vier')),
    e.make({ op: 'd', key: { id: 5 } }),
    e.make({ op: 'r', after: item(6, 'six'), transaction: null }),
    e.truncate(),
    e.make({ op: 'm', message: { prefix: 'p', content: new Uint8Array([1]), transactional: true } }),
    e.make({ op: 's', schemaChange: { kind: 'alter', previous: null, ddl: null } }),
    e.make({ op: 'c', table: LINES, after: item(1, 'line') }),
  ];
}

const placeOf = (e: ChangeEvent): string => `${e.source} ${e.partition} ${e.position}`;
/** An event as comparable data. */
const shapeOf = (e: ChangeEvent): unknown => ({
  op: e.op,
  table: e.table.id,
  place: placeOf(e),
  key: e.key,
  before: e.before,
  after: e.after,
  headers: e.headers,
});

class TransformerTest {
  readonly harness: TransformerHarness;
  readonly #descriptor: TransformerDescriptor;
  constructor(descriptor: TransformerDescriptor, harness: TransformerHarness) {
    this.#descriptor = descriptor;
    this.harness = harness;
  }

  async create(): Promise<Transformer> {
    const ctx: PluginContext = { ...testContext(this.#descriptor.type), baseDir: this.harness.baseDir ?? '.' };
    return this.#descriptor.create(this.harness.config as never, ctx);
  }
  events(): ChangeEvent[] {
    return this.harness.events?.() ?? eventsOfEveryShape();
  }
}

interface TransformerCase {
  readonly title: string;
  readonly lacks?: (t: TransformerTest, one: Transformer) => string | null;
  readonly run: (t: TransformerTest) => Promise<void>;
}

const stateful = (_t: TransformerTest, one: Transformer): string | null => (isStateful(one) ? null : 'it holds nothing back');
const repeatable = (t: TransformerTest): string | null => (t.harness.nondeterministic ? 'it is not deterministic' : null);

const CASES: readonly TransformerCase[] = [
  {
    title: 'takes an empty batch',
    async run(t) {
      expect(await (await t.create()).transform([])).toEqual([]);
    },
  },
  {
    title: 'takes every shape of event and returns events',
    async run(t) {
      for (const event of await (await t.create()).transform(eventsOfEveryShape())) expect(event).toBeInstanceOf(ChangeEvent);
    },
  },
  {
    title: "returns events of its input's places, in order",
    async run(t) {
      const input = t.events(),
        known = input.map(placeOf),
        output = await (await t.create()).transform(input);
      const order = output.map((e) => known.indexOf(placeOf(e)));
      expect(order).not.toContain(-1);
      expect(order).toEqual([...order].sort((a, b) => a - b));
    },
  },
  {
    title: 'gives the same output whatever the size of the batches',
    lacks: repeatable,
    async run(t) {
      const whole = await (await t.create()).transform(t.events()),
        single = await t.create(),
        parts: ChangeEvent[] = [];
      for (const event of t.events()) parts.push(...(await single.transform([event])));
      expect(parts.map(shapeOf)).toEqual(whole.map(shapeOf));
    },
  },
  {
    title: 'gives the same output for the same input',
    lacks: repeatable,
    async run(t) {
      const first = await (await t.create()).transform(t.events()),
        second = await (await t.create()).transform(t.events());
      expect(second.map(shapeOf)).toEqual(first.map(shapeOf));
    },
  },
  {
    title: 'goes on from its saved state at any place as if nothing had happened',
    lacks: stateful,
    async run(t) {
      const events = t.events();
      for (let n = 0; n <= events.length; n++) {
        const whole = (await t.create()) as StatefulTransformer,
          before = (await t.create()) as StatefulTransformer,
          after = (await t.create()) as StatefulTransformer;
        const expected = [...(await whole.transform(t.events())), ...whole.flush('end')];
        const output = [...(await before.transform(t.events().slice(0, n)))];
        after.restore(before.save());
        output.push(...(await after.transform(t.events().slice(n))), ...after.flush('end'));
        expect(output.map(shapeOf), `state saved after ${n} events`).toEqual(expected.map(shapeOf));
      }
    },
  },
  {
    title: 'holds nothing back after the end',
    lacks: stateful,
    async run(t) {
      const one = (await t.create()) as StatefulTransformer;
      await one.transform(t.events());
      one.flush('end');
      expect(one.flush('end')).toEqual([]);
    },
  },
  {
    title: 'gives its outputs a key, so that a repeat is an upsert',
    lacks: stateful,
    async run(t) {
      const one = (await t.create()) as StatefulTransformer,
        input = t.events();
      const added = [...(await one.transform(input)), ...one.flush('end')].filter((e) => !input.includes(e));
      for (const event of added) expect(event.key, placeOf(event)).not.toBeNull();
    },
  },
];

/** Registers the contract of `descriptor` as a suite. `variant` tells apart several configurations of one transformer. */
export function describeTransformer<S extends TSchema>(
  descriptor: TransformerDescriptor<S>,
  harness: TransformerHarness,
  variant = '',
): void {
  describe(`transformer ${descriptor.type}${variant && ` (${variant})`}`, () => {
    for (const { title, lacks, run } of CASES) {
      it(title, async ({ skip }) => {
        const t = new TransformerTest(descriptor as unknown as TransformerDescriptor, harness),
          one = await t.create();
        const why = lacks?.(t, one) ?? null;
        await one.close?.();
        if (why !== null) skip(why);
        await run(t);
      });
    }
  });
}
