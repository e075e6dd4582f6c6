// Subscribing, with what the broker grants. https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901161

import type { IClientSubscribeOptions, MqttClient } from 'mqtt';
import { ReasonError } from '../../systems/mqtt/driver-errors.ts';
import { isShared } from './filters.ts';

export interface SubscribeOptions {
  readonly qos: 0 | 1 | 2;
  readonly ignoresRetained: boolean;
  readonly version: 4 | 5;
}

/** Resolves with the lowest quality of service that was granted. Throws `ReasonError` where one was refused. */
export function subscribe(client: MqttClient, filters: readonly string[], o: SubscribeOptions): Promise<0 | 1 | 2> {
  const wanted = Object.fromEntries(filters.map((filter) => [filter, optionsOf(filter, o)]));
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(new Error('the broker closed the connection'));
    client.once('close', closed);
    client.subscribe(wanted, (error, granted, packet) => {
      client.off('close', closed);
      const codes = (packet?.granted ?? granted?.map((g) => g.qos) ?? []) as readonly number[],
        refused = codes.findIndex((code) => code >= 128);
      if (refused !== -1) {
        // 3.1.1 has one code for all.
        const code = codes[refused] === 128 ? 135 : (codes[refused] as number);
        reject(new ReasonError(`the topic ${filters[refused]} (reason ${codes[refused]})`, code));
      } else if (error) reject(error);
      else resolve(Math.min(o.qos, ...codes) as 0 | 1 | 2);
    });
  });
}

function optionsOf(filter: string, { qos, ignoresRetained, version }: SubscribeOptions): IClientSubscribeOptions {
  // Retained messages come with the first subscription of a session, or never. A shared one never has them.
  return { qos, ...(version === 5 && !isShared(filter) ? { rh: ignoresRetained ? 2 : 1 } : {}) };
}

export function leave(client: MqttClient, filters: readonly string[]): Promise<void> {
  if (filters.length === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    client.unsubscribe([...filters], (error) => (error ? reject(error) : resolve()));
  });
}
