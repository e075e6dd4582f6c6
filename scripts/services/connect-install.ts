// Kafka Connect from Maven, with plugins that are not ours. For `npm run test:third-party`: Debezium's sink for SQL databases, and a
// converter that reads Avro by the registry of our tests. For `bench/path`: Debezium's source for PostgreSQL.

import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasProgram } from './kafka-install.ts';
import { run } from './processes.ts';

const KAFKA = '4.1.0',
  DEBEZIUM = '3.5.0.Final',
  APICURIO = '2.6.13.Final';

export interface ConnectInstallation {
  /** Of Kafka and the plugins. */
  readonly versions: string;
  /** Folder of the worker's jars. */
  readonly libs: string;
  /** What a worker takes as `plugin.path`: a folder per plugin. */
  readonly plugins: string;
}

/** A name of the folder, and what is put into its plugins. */
interface Wanted {
  readonly home: string;
  readonly versions: string;
  plugins(home: string, plugins: string): Promise<void>;
}

const SINK: Wanted = {
  home: `connect-${KAFKA}-${DEBEZIUM}-${APICURIO}`,
  versions: `Kafka Connect ${KAFKA}, Debezium ${DEBEZIUM}, Apicurio ${APICURIO}`,
  async plugins(home, plugins) {
    await copyWithDependencies(join(home, 'avro'), join(plugins, 'apicurio'), [
      `io.apicurio:apicurio-registry-utils-converter:${APICURIO}`,
    ]);
    await unpack(home, plugins);
  },
};

const SOURCE: Wanted = {
  home: `connect-${KAFKA}-postgres-${DEBEZIUM}`,
  versions: `Kafka Connect ${KAFKA}, Debezium ${DEBEZIUM}`,
  plugins: (home, plugins) =>
    copyWithDependencies(join(home, 'source'), join(plugins, 'postgres'), [`io.debezium:debezium-connector-postgres:${DEBEZIUM}`]),
};

/** With the sink. `null`: there is no Maven or no Java. */
export const connectInstall = (folder: string, say: (line: string) => void): Promise<ConnectInstallation | null> =>
  install(SINK, folder, say);

/** With the source. `null`: there is no Maven or no Java. */
export const connectSourceInstall = (folder: string, say: (line: string) => void): Promise<ConnectInstallation | null> =>
  install(SOURCE, folder, say);

async function install(wanted: Wanted, folder: string, say: (line: string) => void): Promise<ConnectInstallation | null> {
  if (!hasProgram('mvn') || !hasProgram('java')) return null;
  const home = join(folder, wanted.home),
    libs = join(home, 'libs'),
    plugins = join(home, 'plugins');
  if (!existsSync(join(home, '.ready'))) {
    say(`fetching ${wanted.versions} with Maven`);
    rmSync(home, { recursive: true, force: true });
    mkdirSync(plugins, { recursive: true });
    const worker = ['org.apache.kafka:connect-runtime', 'org.apache.kafka:connect-json'].map((name) => `${name}:${KAFKA}`);
    await copyWithDependencies(join(home, 'worker'), libs, [...worker, 'org.slf4j:slf4j-simple:1.7.36']);
    await wanted.plugins(home, plugins);
    writeFileSync(join(home, '.ready'), '');
  }
  return { versions: wanted.versions, libs, plugins };
}

/** Debezium's plugin comes with its dependencies and the drivers of databases. */
async function unpack(home: string, plugins: string): Promise<void> {
  const name = 'debezium-connector-jdbc',
    archive = join(home, `${name}-${DEBEZIUM}-plugin.tar.gz`);
  await maven(home, 'copy', [`-Dartifact=io.debezium:${name}:${DEBEZIUM}:tar.gz:plugin`, `-DoutputDirectory=${home}`]);
  await run('tar', ['-xzf', archive, '-C', plugins]);
  rmSync(archive);
}

async function copyWithDependencies(project: string, into: string, artifacts: readonly string[]): Promise<void> {
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, 'pom.xml'), pom(artifacts));
  await maven(project, 'copy-dependencies', ['-DincludeScope=runtime', `-DoutputDirectory=${into}`]);
}

async function maven(cwd: string, goal: string, args: readonly string[]): Promise<void> {
  await run('mvn', ['-q', '-B', `org.apache.maven.plugins:maven-dependency-plugin:3.6.1:${goal}`, ...args], { cwd, timeoutMs: 600_000 });
}

function pom(artifacts: readonly string[]): string {
  const dependencies = artifacts.map((artifact) => {
    const [group, name, version] = artifact.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>test</groupId><artifactId>connect</artifactId><version>1</version>
  <dependencies>
    ${dependencies.join('\n    ')}
  </dependencies>
</project>
`;
}
