// Opens the health servers of a process: one per host and port, shared by all pipelines that name it.

import type { PipelineHandle } from '../engine/api.ts';
import type { PipelineConfig } from '../engine/pipeline-config.ts';
import { type HealthDeps, type HealthServer, type HealthServerConfig, openHealthServer } from './health.ts';

/** Opens what `health_checks` of these pipelines ask for. `handles` is asked at each request, so they may start later. */
export async function openHealthServers(
  configs: readonly PipelineConfig[],
  handles: () => readonly PipelineHandle[],
  deps: Omit<HealthDeps, 'pipelines'>,
): Promise<readonly HealthServer[]> {
  const opened: HealthServer[] = [];
  try {
    for (const [config, names] of groups(configs)) {
      const pipelines = (): ReturnType<HealthDeps['pipelines']> =>
        handles()
          .filter((h) => names.has(h.name))
          .map((h) => ({ status: h.status(), stallAfterMs: h.config.health.stallAfterMs }));
      opened.push(await openHealthServer(config, { ...deps, pipelines }));
    }
  } catch (error) {
    await Promise.all(opened.map((server) => server.close()));
    throw error;
  }
  return opened;
}

/** Pipelines by host and port, with the endpoints of all. Exported for its test. */
export function groups(configs: readonly PipelineConfig[]): readonly (readonly [HealthServerConfig, ReadonlySet<string>])[] {
  const byAddress = new Map<string, { config: HealthServerConfig; names: Set<string> }>();
  for (const { name, health } of configs) {
    if (!health.enabled) continue;
    // Port 0 asks for any free port: never shared.
    const address = health.port === 0 ? `0/${name}` : `${health.host}:${health.port}`;
    const group = byAddress.get(address);
    if (group === undefined) byAddress.set(address, { config: health, names: new Set([name]) });
    else byAddress.set(address, { config: merged(group.config, health), names: group.names.add(name) });
  }
  return [...byAddress.values()].map(({ config, names }) => [config, names] as const);
}

function merged(a: HealthServerConfig, b: HealthServerConfig): HealthServerConfig {
  return { ...a, token: a.token ?? b.token ?? null, endpoints: [...a.endpoints, ...b.endpoints] };
}
