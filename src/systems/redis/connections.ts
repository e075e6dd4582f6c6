// One client, opened on first use and again after it was lost.

import type { Client } from './client.ts';
import { openClient } from './client.ts';
import type { Endpoint } from './endpoint.ts';

/** What may take a client's place: tests lend their own. */
export type Open = (endpoint: Endpoint, name: string) => Promise<Client>;

export class Connections {
  readonly endpoint: Endpoint;
  readonly #name: string;
  readonly #open: Open;
  #client: Promise<Client> | null = null;
  #closed = false;

  constructor(endpoint: Endpoint, name: string, open: Open = openClient) {
    this.endpoint = endpoint;
    // Names of clients have no blanks: CLIENT SETNAME refuses them.
    this.#name = name.replace(/[^!-~]/g, '_');
    this.#open = open;
  }

  /** Runs `work` on the client. When `signal` aborts the connection is cut, so that nothing is waited for. */
  async use<T>(signal: AbortSignal | null, work: (client: Client) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const client = await this.#connected();
    signal?.throwIfAborted();
    const cut = (): void => this.#drop(client);
    signal?.addEventListener('abort', cut, { once: true });
    try {
      return await work(client);
    } finally {
      signal?.removeEventListener('abort', cut);
    }
  }

  /** Cuts the connection: a failed one is not used again. */
  forget(): void {
    const client = this.#client;
    this.#client = null;
    void client?.then(
      (c) => c.disconnect(),
      () => {},
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    const client = await this.#client?.catch(() => null);
    this.#client = null;
    client?.disconnect();
  }

  #drop(client: Client): void {
    this.#client = null;
    client.disconnect();
  }

  async #connected(): Promise<Client> {
    for (;;) {
      const isNew = this.#client === null;
      const opening = this.#client ?? this.#open(this.endpoint, this.#name);
      this.#client = opening;
      try {
        const client = await opening;
        if (this.#closed) client.disconnect();
        if (isNew || client.status === 'ready') return client;
        client.disconnect();
      } catch (error) {
        if (this.#client === opening) this.#client = null;
        throw error;
      }
      // Only the first of those who see a lost connection opens another one.
      if (this.#client === opening) this.#client = null;
    }
  }
}
