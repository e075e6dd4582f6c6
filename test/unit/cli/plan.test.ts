import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { planLines, planOf } from '../../../src/cli/commands/plan.ts';
import {
  CdcError,
  type Descriptor,
  type DestinationCapabilities,
  defineDestination,
  defineSource,
  Keys,
  type SourceCapabilities,
} from '../../../src/sdk/index.ts';
import { fakeConfig } from '../observability/fake-status.ts';

const source: SourceCapabilities = {
  ordering: 'log',
  deletes: true,
  beforeImage: true,
  snapshot: true,
  schemaChanges: false,
  risks: ['late commits may be missed'],
  creates: ['three triggers per table'],
};
const destination: DestinationCapabilities = {
  holdsPoint: true,
  idempotent: true,
  input: 'rows',
  keyless: false,
  maxInFlight: 1,
  creates: ['a table of points'],
};
const never = (): never => {
  throw new Error('a plan creates nothing');
};

async function resolve(kind: Descriptor['kind'], type: string): Promise<Descriptor> {
  if (type === 'kafka') throw new CdcError('CONFIG_TYPE_NOT_AVAILABLE', 'not yet');
  const base = { type, title: type, config: Keys({}), create: never };
  return kind === 'source'
    ? (defineSource({ ...base, capabilities: () => ({ ...source, deletes: type !== 'polling' }) }) as Descriptor)
    : (defineDestination({
        ...base,
        capabilities: () => ({ ...destination, holdsPoint: type !== 'console', idempotent: type !== 'console' }),
      }) as Descriptor);
}

const [replica] = fakeConfig().destinations;
if (replica === undefined) throw new Error('the fake has a destination');
const config = fakeConfig({
  sync: { ...fakeConfig().sync, mode: 'cron', schedule: '*/5 * * * *' },
  sources: [{ name: 'shop', type: 'polling', config: {}, where: 'source' }],
  destinations: [replica, { ...replica, name: 'screen', type: 'console', required: false }, { ...replica, name: 'bus', type: 'kafka' }],
  unavailable: [
    {
      where: 'destinations[2]',
      code: 'CONFIG_TYPE_NOT_AVAILABLE',
      message: 'the destination type "kafka" is known, but this version cannot run it yet',
    },
  ],
});

describe('planOf', () => {
  it('shows guarantees, what is created, risks, and what cannot run, without making any adapter', async () => {
    expect(planLines(await planOf(config, resolve), pc.createColors(false), 120)).toEqual([
      'orders  pipelines/orders.yaml · cron */5 * * * * (UTC), checkpoint every 1.0 s',
      '',
      'Flow',
      '  from  shop     polling  log, snapshot, before images',
      '  to    replica  sqlite',
      '  to    screen   console  optional',
      '  to    bus      kafka',
      '',
      'Guarantees',
      '  shop → replica  effectively-once  the position is stored there with the data',
      '  shop → screen   at-least-once     no position is stored there; after a crash some events come twice',
      '',
      'Creates',
      '  + at source shop: three triggers per table',
      '  + at destination replica: a table of points',
      '  + at destination screen: a table of points',
      '  + here: state in .cdc/state.db; dead letters, if there are any, in dlq/orders.ndjson',
      '',
      'Risks',
      '  ! source shop: late commits may be missed',
      '  ! source shop: rows deleted at the source are not noticed and stay at the destinations',
      '  ! destination replica: events of tables without a key go to the dead letter queue',
      '  ! destination screen: is optional: when it falls too far behind it is detached, and waits for you',
      '  ! destination screen: events of tables without a key go to the dead letter queue',
      '',
      'Not available in this version',
      '  ✖ destinations[2]: the destination type "kafka" is known, but this version cannot run it yet',
    ]);
  });

  it('does not hide an error that is none of "not available yet"', async () => {
    await expect(
      planOf(config, async () => {
        throw new CdcError('PLUGIN_LOAD_FAILED', 'broken');
      }),
    ).rejects.toMatchObject({ code: 'PLUGIN_LOAD_FAILED' });
  });

  it.each([
    ['continuous', 0],
    ['one_time', 1],
    ['cron', 1],
  ] as const)('warns of a log that is kept while nobody reads: mode %s', async (mode, count) => {
    const keeping = async (kind: Descriptor['kind'], type: string): Promise<Descriptor> =>
      kind === 'source'
        ? (defineSource({
            type,
            title: type,
            config: Keys({}),
            create: never,
            capabilities: () => ({ ...source, keepsLog: 'the slot s' }),
          }) as Descriptor)
        : resolve(kind, type);
    const { risks } = await planOf({ ...config, sync: { ...config.sync, mode } }, keeping);
    expect(risks.filter((r) => r.includes('the slot s keeps the log'))).toHaveLength(count);
  });
});
