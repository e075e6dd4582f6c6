// The program as it was built: what runs sources adds calls to their functions.

import type * as catalog from '../../src/catalog.ts';
import type * as load from '../../src/config/load.ts';
import type * as nothing from '../../src/destinations/null/index.ts';
import type * as run from '../../src/run.ts';

export const built = (module: string): Promise<unknown> => import(new URL(`../../dist/src/${module}.js`, import.meta.url).href);

export const { loadDescriptor } = (await built('catalog')) as typeof catalog;
export const { parsePipelineText } = (await built('config/load')) as typeof load;
export const { openRuntime } = (await built('run')) as typeof run;
export const { descriptor: nullDestination } = (await built('destinations/null/index')) as typeof nothing;
