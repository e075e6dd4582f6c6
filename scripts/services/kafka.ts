// Kafka as a service for tests: one broker in KRaft mode. Beside its plain listener it has one with logins, one with TLS, one with both,
// and one that says it is somewhere else: where a test puts a proxy that misbehaves.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalServer, ServiceDefinition } from './definition.ts';
import { kafkaHandshake } from './kafka-handshake.ts';
import { kafkaInstall } from './kafka-install.ts';
import { type ProcessId, run, startTime } from './processes.ts';

const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qg';
/** Ports from that of the plain listener on. PROXIED is told to clients as PROXY. */
export const KAFKA_PORTS = { plain: 0, controller: 1, sasl: 2, proxied: 3, proxy: 4, tls: 5, saslTls: 6 } as const;

interface Kind {
  readonly name: string;
  readonly version: string;
  readonly urlVariable: string;
  readonly firstPort: number;
  readonly onDemand: boolean;
}

export const kafka = service({ name: 'kafka', version: '3.9.1', urlVariable: 'CDC_TEST_KAFKA_URL', firstPort: 19_092, onDemand: false });
export const kafka4 = service({ name: 'kafka@4', version: '4.1.0', urlVariable: 'CDC_TEST_KAFKA4_URL', firstPort: 29_092, onDemand: true });

function service(kind: Kind): ServiceDefinition {
  return {
    name: kind.name,
    onDemand: kind.onDemand,
    wherePossible: true,
    urlVariable: kind.urlVariable,
    firstPort: kind.firstPort,
    ports: Object.keys(KAFKA_PORTS).length,
    startTimeoutMs: 120_000,
    accounts: [],
    container: null,
    installs: [kafkaInstall(kind.version)],
    stopSignals: ['SIGTERM'],
    handshake: kafkaHandshake,
    url: (port, password) => `kafka://test:${password}@127.0.0.1:${port}`,
    prepare,
    findRunning,
    command: (server) => ({ file: 'java', args: [...javaArguments(server, 512), 'kafka.Kafka', settingsFile(server)] }),
  };
}

const settingsFile = ({ folder }: Pick<LocalServer, 'folder'>): string => join(folder, 'server.properties');

function javaArguments({ bin }: Pick<LocalServer, 'bin'>, megabytes: number): string[] {
  return [`-Xms128m`, `-Xmx${megabytes}m`, '-XX:+UseSerialGC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', join(bin, '*')];
}

/** What the broker is told. All on loopback; small internal topics, because each partition costs files. */
function settings({ folder, port, password }: LocalServer): string {
  const at = (name: keyof typeof KAFKA_PORTS): string => `127.0.0.1:${port + KAFKA_PORTS[name]}`;
  const hasTls = existsSync(join(folder, 'keystore.pem'));
  const tls = hasTls ? [`SSL://${at('tls')}`, `SASL_SSL://${at('saslTls')}`] : [];
  const lines = [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@${at('controller')}`,
    'controller.listener.names=CONTROLLER',
    'inter.broker.listener.name=PLAINTEXT',
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL',
    `listeners=${[`PLAINTEXT://${at('plain')}`, `PROXIED://${at('proxied')}`, `CONTROLLER://${at('controller')}`, `SASL_PLAINTEXT://${at('sasl')}`, ...tls].join(',')}`,
    `advertised.listeners=${[`PLAINTEXT://${at('plain')}`, `PROXIED://${at('proxy')}`, `SASL_PLAINTEXT://${at('sasl')}`, ...tls].join(',')}`,
    `log.dirs=${join(folder, 'data')}`,
    'num.partitions=4',
    'auto.create.topics.enable=false',
    // One that comes back is let in when its former self has been silent for this long, which is 9 s as Kafka has it.
    'broker.session.timeout.ms=3000',
    'broker.heartbeat.interval.ms=500',
    'offsets.topic.replication.factor=1',
    'offsets.topic.num.partitions=4',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'transaction.state.log.num.partitions=4',
    'group.initial.rebalance.delay.ms=0',
    'num.network.threads=2',
    'num.io.threads=4',
    'log.cleaner.dedupe.buffer.size=16777216',
    'log.cleaner.backoff.ms=1000',
    // What is older than a topic keeps goes at once, and not now and then within a test.
    'log.retention.check.interval.ms=1000',
    'log.initial.task.delay.ms=1000',
    'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users=User:ANONYMOUS',
    'allow.everyone.if.no.acl.found=true',
    'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    ...logins('sasl_plaintext', password),
    ...(hasTls
      ? [
          'ssl.keystore.type=PEM',
          `ssl.keystore.location=${join(folder, 'keystore.pem')}`,
          'ssl.truststore.type=PEM',
          `ssl.truststore.location=${join(folder, 'cert.pem')}`,
          'ssl.client.auth=requested',
          ...logins('sasl_ssl', password),
        ]
      : []),
  ];
  return `${lines.join('\n')}\n`;
}

function logins(listener: string, password: string): string[] {
  const modules = 'org.apache.kafka.common.security',
    unsigned = `${modules}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler`;
  return [
    `plain.sasl.jaas.config=${modules}.plain.PlainLoginModule required user_alice="${password}";`,
    `scram-sha-256.sasl.jaas.config=${modules}.scram.ScramLoginModule required;`,
    `scram-sha-512.sasl.jaas.config=${modules}.scram.ScramLoginModule required;`,
    `oauthbearer.sasl.jaas.config=${modules}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="test";`,
    `oauthbearer.sasl.server.callback.handler.class=${unsigned}`,
  ].map((line) => `listener.name.${listener}.${line}`);
}

/** A folder of another version or another password, or one half made, is made anew. */
async function prepare(server: LocalServer, version: string): Promise<void> {
  const made = join(server.folder, 'made'),
    isMade = existsSync(made) && readFileSync(made, 'utf8') === `${version} ${server.password}`;
  if (!isMade) rmSync(join(server.folder, 'data'), { recursive: true, force: true });
  if (!existsSync(join(server.folder, 'keystore.pem'))) await makeCertificate(server.folder);
  writeFileSync(settingsFile(server), settings(server), { mode: 0o600 });
  if (isMade) return;
  mkdirSync(join(server.folder, 'data'), { recursive: true });
  const users = [
    ['SCRAM-SHA-256', 'bob'],
    ['SCRAM-SHA-512', 'carl'],
  ].flatMap(([mechanism, name]) => ['--add-scram', `${mechanism}=[name=${name},password=${server.password}]`]);
  const args = [...javaArguments(server, 256), 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', settingsFile(server), ...users];
  await run('java', args, { cwd: server.folder });
  writeFileSync(made, `${version} ${server.password}`, { mode: 0o600 });
}

/** One certificate for both ends: the broker trusts clients that have it, too. Without openssl there is no listener with TLS. */
async function makeCertificate(folder: string): Promise<void> {
  const key = join(folder, 'key.pem'),
    cert = join(folder, 'cert.pem');
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '3650', '-subj', '/CN=localhost'];
  const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', key, '-out', cert];
  const isThere = await run('openssl', [...args, ...names]).then(
    () => true,
    () => false,
  );
  if (isThere) writeFileSync(join(folder, 'keystore.pem'), `${readFileSync(key, 'utf8')}${readFileSync(cert, 'utf8')}`, { mode: 0o600 });
}

/** A broker that still runs on our data although the state file does not know it: it has our settings among its arguments. */
async function findRunning(folder: string): Promise<ProcessId | null> {
  const all = await run('ps', ['-eo', 'pid=,args=']).catch(() => '');
  const line = all.split('\n').find((l) => l.includes('kafka.Kafka') && l.endsWith(settingsFile({ folder })));
  const pid = Number(line?.trim().split(' ', 1)[0] ?? Number.NaN),
    startedAt = Number.isNaN(pid) ? null : startTime(pid);
  return startedAt === null ? null : { pid, startedAt };
}
