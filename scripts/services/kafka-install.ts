// Kafka from Maven: its jars beside each other in one folder, which Java runs as they are. By Maven, so that its settings (a
// mirror, a proxy) apply.

import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Install } from './definition.ts';
import { run } from './processes.ts';

/** `kafka-tools` has the console consumer that tests read us with. */
const pom = (version: string): string => `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>test</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${version}</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>${version}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`;

/** The folder of jars of this version. */
export function kafkaInstall(version: string): Install {
  return {
    mode: 'maven',
    async find(folder, say) {
      if (!hasProgram('mvn') || !hasProgram('java')) return null;
      const home = join(folder, `kafka-jars-${version}`),
        bin = join(home, 'libs');
      if (!existsSync(join(home, '.ready'))) {
        say(`fetching Kafka ${version} with Maven`);
        rmSync(home, { recursive: true, force: true });
        mkdirSync(home, { recursive: true });
        writeFileSync(join(home, 'pom.xml'), pom(version));
        const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';
        await run('mvn', ['-q', '-B', goal, `-DoutputDirectory=${bin}`], { cwd: home, timeoutMs: 600_000 });
        writeFileSync(join(home, '.ready'), '');
      }
      await installKcat(say);
      return { mode: 'maven', bin, version };
    },
  };
}

export function hasProgram(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((f) => f !== '' && existsSync(join(f, name)));
}

/** A reader that is neither ours nor Java's. Its tests say that they are skipped where it cannot be had. */
async function installKcat(say: (line: string) => void): Promise<void> {
  if (hasProgram('kcat') || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return;
  say('installing kcat with apt-get');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['install', '-y', '--no-install-recommends', 'kcat'], { env }).catch((error: unknown) => say(String(error)));
}
