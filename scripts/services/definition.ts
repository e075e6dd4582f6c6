// What a service is to `npm run services`: one file per service implements this, `catalog.ts` lists them. Only node
// builtins here and beside: the script runs before anything is built.

import type { ProcessId } from './processes.ts';

/** Where a running server came from: `url` somebody else's, the others started by this script. */
export type Mode = 'url' | 'docker' | 'system' | 'npm' | 'maven' | 'go';

/** Answer of a server that spoke its product's own protocol. `version` is null where it tells none before a login. */
export interface Handshake {
  readonly version: string | null;
}

/** An account that a server runs as, when this script runs as root and the server refuses root. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Programs of a service that are ready to run. */
export interface Installation {
  readonly mode: 'system' | 'npm' | 'maven' | 'go';
  readonly version: string;
  readonly bin: string;
}

/** One way to get the programs. */
export interface Install {
  readonly mode: 'system' | 'npm' | 'maven' | 'go';
  /**
   * Finds the programs, installing them if need be. `null`: this way does not exist here, or has no such version. Throws when it
   * exists and failed. `folder` is a place for downloads that the server's account can reach.
   */
  find(folder: string, say: (line: string) => void): Promise<Installation | null>;
}

/** What a local server is started with. */
export interface LocalServer {
  readonly bin: string;
  /** The server's own folder; it belongs to `account`. Files outlive a stop, until `down --purge`. */
  readonly folder: string;
  readonly port: number;
  readonly password: string;
  readonly account: Account | null;
}

export interface ServiceDefinition {
  /** `postgres`, and `postgres@18` where a version was asked for: each has its own server, data and state. */
  readonly name: string;
  /** Started only when it is named. */
  readonly onDemand?: boolean;
  /** Where it cannot be had, the others are started all the same, and its tests say that they are skipped. */
  readonly wherePossible?: boolean;
  /** Environment variable with the URL of a server to use as it is. */
  readonly urlVariable: string;
  /** The first port to try; the next free one is taken and recorded. */
  readonly firstPort: number;
  /** How many ports it takes, one behind the other; 1 unless set. */
  readonly ports?: number;
  /** How long a start may take. */
  readonly startTimeoutMs: number;
  /** Accounts to run as when root starts the service, best first; empty = the server accepts root. */
  readonly accounts: readonly string[];
  /** Its service in compose.yaml, and what that file needs beside port and password; `null`: there is none. */
  readonly container: { readonly service: string; readonly environment?: Readonly<Record<string, string>> } | null;
  readonly installs: readonly Install[];
  url(port: number, password: string): string;
  /** Rejects when nothing answers, when it is another product, or when it still starts. */
  handshake(url: string): Promise<Handshake>;
  /** Makes the data folder if it is not there. */
  prepare(server: LocalServer, version: string): Promise<void>;
  /** The server that runs in this folder although no state file tells of it. */
  findRunning(folder: string): Promise<ProcessId | null>;
  command(server: LocalServer): { readonly file: string; readonly args: readonly string[] };
  /** Signals of a stop, gentle first; SIGKILL follows. */
  readonly stopSignals: readonly NodeJS.Signals[];
}

/** The service cannot be had on this machine: exit code 3. */
export class ServiceUnavailable extends Error {
  override readonly name = 'ServiceUnavailable';
}
