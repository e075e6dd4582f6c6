// Asks every source and destination of a pipeline to check itself: reachable, permitted, set up. Nothing is started or created.

import type { ComponentConfig, PipelineConfig } from '../engine/pipeline-config.ts';
import { schemaModes } from '../engine/schema-modes.ts';
import type { Descriptor } from '../sdk/define.ts';
import { CdcError, type Finding } from '../sdk/errors.ts';
import { silentLogger } from '../sdk/logger.ts';
import { type Clock, forgetfulStore, systemRandom } from '../sdk/ports.ts';

export interface ComponentFindings {
  readonly pipeline: string;
  /** `source shop (sqlite)` */
  readonly component: string;
  readonly findings: readonly Finding[];
}

/** A server that has not answered by then is as good as unreachable. */
const CHECK_TIMEOUT_MS = 30_000;

type Resolve = (kind: Descriptor['kind'], type: string, options: { readonly baseDir: string }) => Promise<Descriptor>;

export async function preflight(config: PipelineConfig, clock: Clock, resolve?: Resolve): Promise<readonly ComponentFindings[]> {
  const resolver = resolve ?? (await import('../catalog.ts')).loadDescriptor;
  const one = async (kind: 'source' | 'destination', component: ComponentConfig): Promise<ComponentFindings> => ({
    pipeline: config.name,
    component: `${kind} ${component.name} (${component.type})`,
    findings: await withTimeout(clock, (findings) => check(config, kind, component, { clock, resolver, findings })),
  });
  return Promise.all([...config.sources.map((s) => one('source', s)), ...config.destinations.map((d) => one('destination', d))]);
}

interface Checking {
  readonly clock: Clock;
  readonly resolver: Resolve;
  readonly findings: Finding[];
}

async function check(
  config: PipelineConfig,
  kind: 'source' | 'destination',
  component: ComponentConfig,
  { clock, resolver, findings }: Checking,
): Promise<void> {
  try {
    const descriptor = await resolver(kind, component.type, { baseDir: config.baseDir });
    if (descriptor.kind !== 'source' && descriptor.kind !== 'destination') return;
    const instance = await descriptor.create(component.config, {
      pipeline: config.name,
      name: component.name,
      logger: silentLogger,
      clock,
      random: systemRandom,
      store: forgetfulStore,
      schemaEvolution: schemaModes(config.schemaEvolution),
    });
    try {
      for await (const finding of instance.check()) findings.push(finding);
    } finally {
      await instance.close();
    }
  } catch (error) {
    findings.push(findingOf(error));
  }
}

/** What a thrown value says as a finding: an adapter that cannot even be made has found something too. */
function findingOf(error: unknown): Finding {
  if (error instanceof CdcError)
    return { level: 'error', check: 'open', message: error.message, code: error.code, ...(error.fix === null ? {} : { fix: error.fix }) };
  return { level: 'error', check: 'open', message: error instanceof Error ? error.message : String(error), code: 'INTERNAL_UNEXPECTED' };
}

/** What was found in time, and a finding about the rest. */
async function withTimeout(clock: Clock, work: (findings: Finding[]) => Promise<void>): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const done = new AbortController();
  const late = clock.sleep(CHECK_TIMEOUT_MS, done.signal).then(() => !done.signal.aborted);
  const finished = work(findings).then(() => false);
  const timedOut = await Promise.race([late, finished]);
  done.abort();
  if (!timedOut) return findings;
  return [
    ...findings,
    {
      level: 'error',
      check: 'answers',
      message: `no answer within ${CHECK_TIMEOUT_MS / 1000} s`,
      fix: 'See whether the server is up and the network lets us through.',
    },
  ];
}
