// A Lua script on the server: sent by its hash, and whole where the server does not have it yet. The server runs it at once:
// nobody sees half of it, and it fails before its first write or is the script's own mistake.
// https://redis.io/docs/latest/develop/interact/programmability/eval-intro/

import { createHash } from 'node:crypto';
import type { Client } from './client.ts';
import { isUnknownScript } from './driver-errors.ts';

export type ScriptArgument = string | number | Buffer;

export class Script {
  readonly text: string;
  readonly #hash: string;

  constructor(text: string) {
    this.text = text;
    this.#hash = createHash('sha1').update(text).digest('hex');
  }

  /** Strings, numbers and lists of them, as the script returns them. */
  async run(client: Client, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown> {
    const rest = [keys.length, ...keys, ...args];
    try {
      return await client.call('EVALSHA', [this.#hash, ...rest]);
    } catch (error) {
      // Nothing was done, so it may be sent again.
      if (!isUnknownScript(error)) throw error;
      return client.call('EVAL', [this.text, ...rest]);
    }
  }
}
