// The `plugins` section: lists of transformers, middleware and hooks, plain or in the nested form of the design documents
// (`plugins.transformers.transformers: […]`).

import type { ComponentConfig } from '../engine/pipeline-config.ts';
import { Type } from '../sdk/index.ts';
import { type Context, checkAll, type Found } from './components.ts';
import { isMapping } from './document.ts';
import type { Path } from './issue.ts';
import { type HookSection, PLUGIN_LISTS, type PluginSection } from './shell.ts';
import { validate } from './validate.ts';

type List = keyof typeof PLUGIN_LISTS;

const KIND_OF = { transformers: 'transformer', middleware: 'middleware', hooks: 'hook' } as const;
const ANY_LIST = Type.Array(Type.Unknown());
const NO_KEYS = Type.Object({}, { additionalProperties: false });

export interface FoundPlugin {
  readonly component: ComponentConfig;
  readonly section: PluginSection | HookSection;
}

export async function checkPlugins(section: unknown, context: Context): Promise<{ readonly [L in List]: FoundPlugin[] }> {
  const keys = isMapping(section) ? section : {};
  return {
    transformers: await checkList('transformers', keys['transformers'], context),
    middleware: await checkList('middleware', keys['middleware'], context),
    hooks: await checkList('hooks', keys['hooks'], context),
  };
}

async function checkList(list: List, value: unknown, context: Context): Promise<FoundPlugin[]> {
  if (value === undefined) return [];
  const at: Path = ['plugins', list];
  // A mapping with a type is one plugin: it belongs into a list.
  if (!isMapping(value) || 'type' in value) return checkItems(list, value, at, context);
  const nested = Type.Object({ [list]: ANY_LIST }, { additionalProperties: false });
  await validate(nested, value, at, context.document);
  return value[list] === undefined ? [] : checkItems(list, value[list], [...at, list], context);
}

async function checkItems(list: List, items: unknown, at: Path, context: Context): Promise<FoundPlugin[]> {
  await validate(ANY_LIST, items, at, context.document);
  if (!Array.isArray(items)) return [];
  const found: Found[] = [];
  const sections: PluginSection[] = [];
  for (const [i, item] of items.entries()) {
    const { value } = await validate<PluginSection>(PLUGIN_LISTS[list], withoutParams(item), [...at, i], context.document);
    if (!isMapping(item)) continue;
    sections.push(value);
    found.push(pluginAt(list, item, [...at, i]));
  }
  const components = await checkAll(found, NO_KEYS, context);
  return components.flatMap((checked, i) => {
    const section = sections[i];
    return checked === null || section === undefined ? [] : [{ component: checked.component, section }];
  });
}

/** Transformers of one destination. Its `filter` is the expression of a plugin `filter` that comes first. */
export async function checkLaneTransformers(
  expression: string | undefined,
  items: unknown,
  at: Path,
  context: Context,
): Promise<FoundPlugin[]> {
  const filter = expression === undefined ? [] : await checkFilter(expression, [...at, 'filter'], context);
  return items === undefined ? filter : [...filter, ...(await checkItems('transformers', items, [...at, 'transformers'], context))];
}

async function checkFilter(expression: string, at: Path, context: Context): Promise<FoundPlugin[]> {
  const found: Found = { kind: 'transformer', at, typeAt: at, keys: { expression }, keysAt: at, type: 'filter', name: undefined };
  const { value: section } = await validate<PluginSection>(PLUGIN_LISTS.transformers, { type: 'filter' }, at, context.document);
  const [checked] = await checkAll([found], NO_KEYS, context);
  return checked === null || checked === undefined ? [] : [{ component: checked.component, section }];
}

/** `params` are judged by the plugin's own schema, which alone knows its secrets and units. */
function withoutParams(item: unknown): unknown {
  if (!isMapping(item) || !isMapping(item['params'])) return item;
  const { params: _, ...shell } = item;
  return shell;
}

function pluginAt(list: List, item: Record<string, unknown>, at: Path): Found {
  const keys = isMapping(item['params']) ? item['params'] : {};
  return { kind: KIND_OF[list], at, typeAt: [...at, 'type'], keys, keysAt: [...at, 'params'], type: item['type'], name: item['name'] };
}
