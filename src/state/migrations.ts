// The shape of the state file, as numbered steps. A step is never edited once it was released: add the next one.
// https://www.sqlite.org/pragma.html#pragma_user_version

import type { Database } from 'better-sqlite3';
import { newerVersion, unavailable } from './errors.ts';

/** "CDCr" in the file's header: tells our files from other programs' (`file state.db` shows it). */
export const APPLICATION_ID = 0x43444372;

/**
 * Step `n` leads from version `n` to `n + 1`. Texts and bytes that decide where a pipeline resumes carry a CRC-32 over
 * themselves and the place they belong to, because SQLite itself does not notice a flipped bit inside a value.
 */
const STEPS: readonly string[] = [
  `
  create table pipeline (
    name text primary key, owner text, until_ms integer not null, head text not null, crc integer not null
  ) strict, without rowid;
  create table lane (
    pipeline text not null, name text not null, state text not null, crc integer not null, primary key (pipeline, name)
  ) strict, without rowid;
  create table transformer (pipeline text primary key, point text not null, state blob not null, crc integer not null) strict;
  create table run (pipeline text not null, id integer not null, summary text not null, primary key (pipeline, id)) strict, without rowid;
  create table error (
    pipeline text not null, component text not null, code text not null, message text not null, count integer not null,
    first_ms integer not null, last_ms integer not null, primary key (pipeline, component)
  ) strict, without rowid;
  create table plugin_value (
    pipeline text not null, plugin text not null, key text not null, value blob not null, crc integer not null,
    primary key (pipeline, plugin, key)
  ) strict;
  `,
  `
  create table checkpoint (
    pipeline text not null, id integer not null, at_ms integer not null, lanes text not null, crc integer not null, primary key (pipeline, id)
  ) strict, without rowid;
  create table delivered (
    pipeline text not null, bucket integer not null, last_ms integer not null, ids blob not null, crc integer not null,
    primary key (pipeline, bucket)
  ) strict;
  `,
];

/** Version that this program writes. */
export const STATE_FILE_VERSION = STEPS.length;

/** Is it ours, and not newer than we are? Reads only: another program's file is left as it was. */
export function assertOurs(db: Database, path: string): void {
  const id = db.pragma('application_id', { simple: true });
  if (id !== APPLICATION_ID) {
    throw unavailable(path, 'is a SQLite database of another program.', { fix: 'Set state.path to a file of its own.' });
  }
  const version = versionOf(db);
  if (version > STATE_FILE_VERSION) throw newerVersion(path, version, 'set state.path to another file');
}

/** Brings the file to `STATE_FILE_VERSION`. One transaction: a crash leaves the old version, whole. */
export function migrate(db: Database): void {
  if (versionOf(db) === STATE_FILE_VERSION) return;
  db.transaction(() => {
    // Read again under the write lock: another process may have been faster.
    for (const step of STEPS.slice(versionOf(db))) db.exec(step);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma(`user_version = ${STATE_FILE_VERSION}`);
  }).immediate();
}

function versionOf(db: Database): number {
  return db.pragma('user_version', { simple: true }) as number;
}
