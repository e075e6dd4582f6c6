// Which partition a record goes to: `partition_strategy`.

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CdcError, toCdcError } from '../../sdk/index.ts';
import { partitionOfKey } from '../../systems/kafka/partitioner.ts';
import type { KafkaDestinationConfig } from './config.ts';

/** What the user's function gets. */
export interface PartitionInput {
  readonly topic: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Partitioner {
  partition(record: PartitionInput, partitions: number): number;
  /** Called before each batch. */
  next(): void;
}

/** By the key; records without one stay together within a batch, as larger batches cost less. */
class HashPartitioner implements Partitioner {
  #turn = 0;
  next(): void {
    this.#turn++;
  }
  partition({ key }: PartitionInput, partitions: number): number {
    return key === null ? this.#turn % partitions : partitionOfKey(key, partitions);
  }
}

class RoundRobinPartitioner implements Partitioner {
  #turn = 0;
  next(): void {}
  partition(_record: PartitionInput, partitions: number): number {
    return this.#turn++ % partitions;
  }
}

class CustomPartitioner implements Partitioner {
  readonly #of: (record: PartitionInput, partitions: number) => unknown;
  readonly #module: string;

  constructor(of: (record: PartitionInput, partitions: number) => unknown, module: string) {
    this.#of = of;
    this.#module = module;
  }
  next(): void {}
  partition(record: PartitionInput, partitions: number): number {
    const chosen = this.#of(record, partitions);
    if (typeof chosen === 'number' && Number.isInteger(chosen) && chosen >= 0 && chosen < partitions) return chosen;
    throw new CdcError('PLUGIN_CONTRACT', `${this.#module} chose partition ${String(chosen)} of ${partitions} for topic ${record.topic}.`, {
      fix: 'Return a whole number from 0 to partitions - 1.',
    });
  }
}

export async function createPartitioner(config: KafkaDestinationConfig): Promise<Partitioner> {
  if (config.partition_strategy === 'hash') return new HashPartitioner();
  if (config.partition_strategy === 'round_robin') return new RoundRobinPartitioner();
  const path = resolve(config.partition_function ?? '');
  let loaded: { readonly partition?: unknown };
  try {
    loaded = (await import(pathToFileURL(path).href)) as typeof loaded;
  } catch (error) {
    throw toCdcError(error, 'PLUGIN_LOAD_FAILED', { where: path, fix: 'Correct `partition_function`.' });
  }
  const { partition } = loaded;
  if (typeof partition === 'function')
    return new CustomPartitioner(partition as (record: PartitionInput, partitions: number) => unknown, path);
  throw new CdcError('PLUGIN_CONTRACT', `${path} exports no function \`partition\``, {
    where: path,
    fix: 'Export `partition(record, partitions)`, which returns a number.',
  });
}
