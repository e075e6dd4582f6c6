// Programs that are not ours, run against the test broker: the tools of Apache Kafka, and kcat.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { reachableFolder } from '../../scripts/services/home.ts';
import { kafkaInstall } from '../../scripts/services/kafka-install.ts';

const exec = promisify(execFile);

export const hasKcat = (process.env['PATH'] ?? '').split(delimiter).some((f) => existsSync(join(f, 'kcat')));
if (!hasKcat) console.warn('SKIPPED: no kcat for tests: install the package of that name');

/** Runs a class of the Kafka tools; gives its stdout. */
export async function javaTool(name: string, args: readonly string[]): Promise<string> {
  const jars = await kafkaInstall('3.9.1').find(reachableFolder(false), () => undefined);
  if (jars === null) throw new Error('no jars of Kafka');
  const java = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'];
  const { stdout } = await exec('java', [...java, '-cp', join(jars.bin, '*'), name, ...args], { maxBuffer: 64 << 20 });
  return stdout;
}

/** Lines `key|value` of a topic, as the Java console consumer reads them. */
export async function javaConsumer(brokers: string, topic: string, count: number): Promise<string[]> {
  const out = await javaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
    ...['--bootstrap-server', brokers, '--topic', topic, '--from-beginning', '--isolation-level', 'read_committed'],
    ...['--timeout-ms', '30000', '--max-messages', String(count)],
    ...['--property', 'print.key=true', '--property', 'key.separator=|'],
  ]);
  return out.trimEnd().split('\n');
}

export async function kcat(brokers: string, topic: string, format = '%k|%s\n'): Promise<string[]> {
  const args = ['-C', '-q', '-e', '-b', brokers, '-t', topic, '-X', 'isolation.level=read_committed', '-f', format];
  return (await exec('kcat', args, { maxBuffer: 64 << 20 })).stdout.trimEnd().split('\n');
}
