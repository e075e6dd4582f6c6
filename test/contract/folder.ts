// A temporary folder for one contract case.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Folder {
  readonly at: (name: string) => string;
  remove(): Promise<void>;
}

export async function makeFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'cdc-contract-'));
  return { at: (name) => join(path, name), remove: () => rm(path, { recursive: true, force: true }) };
}
