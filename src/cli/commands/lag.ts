// `cdc-run lag <pipeline>`: how far each source and destination is behind, what the source keeps for the pipeline, and how long
// that can go on. A running pipeline is asked; for a stopped one its sources are, and its state.

import { askRunning } from '../../control/client.ts';
import type { SourceLag } from '../../engine/api.ts';
import { bytesBehind } from '../../engine/lag.ts';
import type { PipelineConfig } from '../../engine/pipeline-config.ts';
import type { PartitionPositions } from '../../sdk/position.ts';
import type { Source } from '../../sdk/source.ts';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-code.ts';
import { type LagReport, lagLines } from '../lag-text.ts';
import { findPipeline, openState, withComponents } from '../pipeline-target.ts';

const ASK_TIMEOUT_MS = 10_000;
/** A rate needs two looks. */
const BETWEEN_LOOKS_MS = 1_000;

/** Exit code 4: what a source kept for the pipeline is lost. */
export async function lag(cli: Cli, name: string, { config: inputs }: { readonly config: readonly string[] }): Promise<number> {
  const config = await findPipeline(cli, name, inputs);
  const report = (await runningReport(cli, config)) ?? (await storedReport(cli, config));
  if (cli.output.json) cli.output.document({ ok: true, ...report });
  else cli.output.print(lagLines(report, cli.output.colors));
  return report.sources.some((s) => s.lag?.retention?.status === 'lost') ? EXIT.check : EXIT.ok;
}

async function runningReport({ world: { clock } }: Cli, { name, state }: PipelineConfig): Promise<LagReport | null> {
  const running = await askRunning(state.path, name, { clock, timeoutMs: ASK_TIMEOUT_MS });
  if (running === null || running.status.sources.length === 0) return null;
  const { sources, lanes } = running.status;
  return {
    pipeline: name,
    running: true,
    sources: sources.map((s) => ({ name: s.name, lagMs: s.lagMs, lag: s.lag, error: null })),
    lanes: lanes.map((l) => ({ name: l.name, lagBytes: l.lagBytes, lagMs: l.lagMs, queued: l.queued })),
  };
}

async function storedReport(cli: Cli, config: PipelineConfig): Promise<LagReport> {
  const store = await openState(config);
  try {
    const { lanes } = await store.load(config.name);
    return await withComponents(cli, config, { destinations: false }, async ({ sources }) => {
      const asked = await Promise.all(sources.map(async (s) => ({ ...s, found: await look(cli, s.source) })));
      /** Of all sources together; one that cannot tell leaves it open. */
      const behind = (of: (source: string) => PartitionPositions): number | null =>
        asked.reduce<number | null>((sum, { config: c, source, found }) => {
          const bytes = bytesBehind(source.positions, found.lag, of(c.name));
          return sum === null || bytes === null ? null : sum + bytes;
        }, 0);
      return {
        pipeline: config.name,
        running: false,
        sources: asked.map(({ config: { name }, found }) => ({ name, lagMs: null, ...found })),
        lanes: Object.entries(lanes).map(
          ([
            name,
            {
              points: [point],
            },
          ]) => ({
            name,
            lagBytes: behind((source) => point?.sources[source] ?? {}),
            lagMs: null,
            queued: null,
          }),
        ),
      };
    });
  } finally {
    await store.close();
  }
}

async function look({ world: { clock } }: Cli, source: Source): Promise<{ lag: SourceLag | null; error: string | null }> {
  try {
    const { retention } = await source.lag();
    if (retention !== undefined) await clock.sleep(BETWEEN_LOOKS_MS);
    return { lag: { ...(await source.lag()), atMs: clock.now() }, error: null };
  } catch (error) {
    return { lag: null, error: (error as Error).message };
  }
}
