// `cdc-run adapters`: sources, destinations and plugins with what they can do.

import type { TSchema } from '../../sdk/config-schema.ts';
import type { Descriptor } from '../../sdk/define.ts';
import type { DestinationCapabilities } from '../../sdk/destination.ts';
import { CdcError } from '../../sdk/errors.ts';
import type { SourceCapabilities } from '../../sdk/source.ts';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-code.ts';
import { table, wrap } from '../format.ts';
import type { Colors } from '../output.ts';
import { sampleConfig } from '../sample-config.ts';

/** One type as the list shows it. `capabilities`: with default settings; others may give other ones. */
export interface ListedType {
  readonly kind: Descriptor['kind'];
  readonly type: string;
  readonly aliases: readonly string[];
  readonly title: string;
  /** `false`: known and validated, but this version cannot run it. */
  readonly available: boolean;
  readonly capabilities: SourceCapabilities | DestinationCapabilities | null;
}

const TITLES: Readonly<Record<Descriptor['kind'], string>> = {
  source: 'Sources',
  destination: 'Destinations',
  transformer: 'Transformers',
  middleware: 'Middleware',
  hook: 'Hooks',
};

export async function adapters(cli: Cli): Promise<number> {
  const types = await listed();
  if (cli.output.json) cli.output.document({ ok: true, types });
  else cli.output.print(adapterLines(types, cli.output.colors, cli.output.width));
  return EXIT.ok;
}

async function listed(): Promise<readonly ListedType[]> {
  const { isPlanned, listTypes } = await import('../../catalog.ts');
  return (await listTypes()).map(({ kind, type, aliases, title, available, descriptor }) => ({
    kind,
    type,
    aliases,
    title,
    available,
    capabilities: isPlanned(descriptor) ? null : capabilitiesOf(descriptor),
  }));
}

/** A capability may depend on settings for which there is no default; then nothing is claimed. */
function capabilitiesOf(descriptor: Descriptor): ListedType['capabilities'] {
  if (descriptor.kind !== 'source' && descriptor.kind !== 'destination') return null;
  try {
    return descriptor.capabilities(sampleConfig(descriptor.config as TSchema));
  } catch (error) {
    if (error instanceof CdcError || error instanceof TypeError) return null;
    throw error;
  }
}

export function adapterLines(types: readonly ListedType[], c: Colors, width: number): string[] {
  const lines: string[] = [];
  for (const kind of Object.keys(TITLES) as Descriptor['kind'][]) {
    const ready = types.filter((t) => t.kind === kind && t.available);
    const planned = types.filter((t) => t.kind === kind && !t.available).map((t) => t.type);
    if (ready.length + planned.length === 0) continue;
    lines.push(
      ...(lines.length === 0 ? [] : ['']),
      c.bold(TITLES[kind]),
      ...table(ready.flatMap((t) => [[c.cyan(t.type), t.title], ...(abilities(t) === '' ? [] : [['', c.dim(abilities(t))]])])),
    );
    if (planned.length > 0) lines.push(c.dim(`  ${wrap(`accepted, not available yet: ${planned.join(', ')}`, width - 2, '  ')}`));
  }
  return [...lines, '', c.dim('The keys of a type: cdc-run schema <type>')];
}

function abilities({ kind, capabilities }: ListedType): string {
  if (capabilities === null) return '';
  if (kind === 'source') {
    const { ordering, snapshot, deletes, beforeImage, schemaChanges } = capabilities as SourceCapabilities;
    return words([
      ordering === 'queue' && 'queue',
      snapshot && 'snapshot',
      deletes && 'deletes',
      beforeImage && 'before images',
      schemaChanges && 'schema changes',
    ]);
  }
  const { holdsPoint, idempotent, keyless } = capabilities as DestinationCapabilities;
  return words([
    holdsPoint ? 'effectively-once' : 'at-least-once',
    !holdsPoint && idempotent && 'repeats harmless',
    !keyless && 'needs keys',
  ]);
}

function words(parts: readonly (string | false)[]): string {
  return parts.filter((part) => part !== false).join(', ');
}
