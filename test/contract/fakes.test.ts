// The contract suites against the fakes: the suites can pass, and the fakes keep the contract that the simulator relies on.

import { type Destination, type DestinationDescriptor, defineTransformer, Keys, type SourceDescriptor } from '../../src/sdk/index.ts';
import { rowsOf } from '../../src/sdk/testing/fakes/rows.ts';
import {
  type DestinationHarness,
  describeDestination,
  describeSource,
  describeTransformer,
  Events,
  eventsOfEveryShape,
  FakeHoldingDestination,
  FakeLog,
  FakeQueue,
  FakeRecordsDestination,
  FakeRowsDestination,
  FakeWindow,
  Faults,
  fakeDestination,
  fakeLogSource,
  fakeQueueSource,
  HoldingStore,
  ITEMS,
  item,
  type SourceHarness,
  tableNamed,
  UntrackedStore,
} from '../../src/sdk/testing/index.ts';

const COLUMN = { name: 'extra', type: 'string', nativeType: 'text', nullable: true } as const;

// The fakes are bound to a world; a harness hands its own world over as the configuration.

/** A descriptor that reads the log it is configured with. */
function logSource(snapshot: boolean): SourceDescriptor {
  return {
    ...fakeLogSource(new FakeLog(), { snapshot }),
    create: (config, ctx) => fakeLogSource(config as FakeLog, { snapshot }).create({}, ctx),
  };
}

async function startLog(): Promise<SourceHarness> {
  const log = new FakeLog(),
    unreachable = new FakeLog();
  unreachable.down = true;
  return {
    config: log,
    ops: ['insert', 'update', 'delete', 'truncate'],
    unreachable,
    commit: async (changes) => log.commit(changes),
    cut: async () => log.cut(),
    loseHistory: async () => log.loseHistory(),
    addColumn: async () => log.alter({ ...ITEMS, columns: [...ITEMS.columns, COLUMN] }),
    advance: async () => log.commit([]),
    garbage: async () => log.garbage('{"broken":'),
    insertTyped: async (id) => log.commit([{ op: 'insert', id, name: 'typed', note: 'the same' }]),
    typed: { name: 'typed', note: 'the same' },
    close: async () => {},
  };
}

describeSource(logSource(false), startLog, 'stream');
describeSource(logSource(true), startLog, 'snapshot and stream');

const queueSource: SourceDescriptor = {
  ...fakeQueueSource(new FakeQueue()),
  create: (config, ctx) => fakeQueueSource(config as FakeQueue).create({}, ctx),
};
describeSource(queueSource, async () => {
  const queue = new FakeQueue(),
    unreachable = new FakeQueue();
  unreachable.down = true;
  return {
    config: queue,
    ops: ['insert'],
    unreachable,
    commit: async (changes) => {
      for (const c of changes) if (c.op === 'insert') queue.publish({ id: c.id, text: c.name, note: c.note ?? null });
    },
    close: async () => {},
  };
});

type Store = HoldingStore | UntrackedStore;

/** What the three kinds of store have in common. */
function harnessOf(store: Store, unreachable: Store): DestinationHarness {
  unreachable.faults.down = true;
  store.faults.rejects = (event) => event.get('after', 'name') === 'poison' || String(event.get('after', 'note')).length > 100_000;
  return {
    config: store,
    unreachable,
    ops: ['insert', 'update', 'delete', 'truncate', 'partial', 'move'],
    poison: (events: Events) => events.create(item(3, 'poison')),
    oversize: (events: Events) => events.create(item(2, 'large', 'x'.repeat(100_001))),
    outage: async () => {
      store.faults.down = true;
      return async () => {
        store.faults.down = false;
      };
    },
    close: async () => {},
  };
}

function configured(kind: Parameters<typeof fakeDestination>[0], make: (store: never) => Destination): DestinationDescriptor {
  return {
    ...fakeDestination(kind, () => {
      throw new Error('not used');
    }),
    create: async (config) => make(config as never),
  };
}

describeDestination(
  configured('holding', (s: HoldingStore) => new FakeHoldingDestination(s)),
  async () => {
    const store = new HoldingStore(new Faults());
    return {
      ...harnessOf(store, new HoldingStore(new Faults())),
      rows: async (table) => rowsOf(store.rows, table.id.table),
      loseReply: async () => {
        store.faults.lostReplies.push('after_commit');
      },
    };
  },
);

describeDestination(
  configured('rows', (s: UntrackedStore) => new FakeRowsDestination(s)),
  async () => {
    const store = new UntrackedStore(new Faults());
    return { ...harnessOf(store, new UntrackedStore(new Faults())), rows: async (table) => rowsOf(store.rows, table.id.table) };
  },
);

describeDestination(
  configured('records', (s: UntrackedStore) => new FakeRecordsDestination(s)),
  async () => {
    const store = new UntrackedStore(new Faults());
    return { ...harnessOf(store, new UntrackedStore(new Faults())), records: async () => store.records.map((r) => r.value) };
  },
);

const counted = tableNamed('counted');
const window = defineTransformer({
  type: 'fake_window',
  title: 'Counts per window',
  config: Keys({}),
  create: () => new FakeWindow({ lengthMs: 3 }),
});
describeTransformer(window, {
  config: {},
  events: () => {
    const held = new Events(counted),
      passing = eventsOfEveryShape();
    return passing.map((event, i) =>
      i % 2 === 0
        ? event.copy({ op: 'c', table: counted, after: held.create(item(i, `row ${i}`)).after, sourceTsMs: event.sourceTsMs })
        : event,
    );
  },
});
