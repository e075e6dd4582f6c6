// `npm run services up|down|status [names]`: the real servers that tests need, started and stopped by one script.
// Exit codes: 0 done, 2 wrong arguments, 3 a service cannot be had.

import { parseArgs } from 'node:util';
import { SERVICES, serviceByName } from './services/catalog.ts';
import { type Mode, type ServiceDefinition, ServiceUnavailable } from './services/definition.ts';
import { down } from './services/down.ts';
import { loadState } from './services/home.ts';
import { findRunning, up } from './services/up.ts';

const USAGE = `Usage: npm run services -- <up|down|status> [names] [--json] [--mode docker|system|npm|maven|go] [--purge]

  up      start the services and wait until they answer
  down    stop what "up" started; --purge removes its data too
  status  say what answers, and where

Services: ${SERVICES.map((s) => `${s.name} (own server: ${s.urlVariable})`).join(', ')}
Without names: all that are used by every run of the tests, and those that were started.
A version: postgres@18, or CDC_TEST_POSTGRES_VERSION=18 for the tests, too.`;

/** One line of output. */
interface Report {
  readonly service: string;
  readonly mode: string;
  readonly version: string;
  readonly url: string | null;
}

type Options = { readonly json: boolean; readonly purge: boolean; readonly mode: Exclude<Mode, 'url'> | null };
type Command = (service: ServiceDefinition, options: Options) => Promise<Report>;

const COMMANDS: Readonly<Record<string, Command>> = {
  up: (service, { mode }) => up(service, mode, (line) => process.stderr.write(`${service.name}: ${line}\n`)),
  down: async (service, { purge }) => ({ service: service.name, mode: await down(service, purge), version: '-', url: null }),
  status,
};

async function status(service: ServiceDefinition): Promise<Report> {
  const given = process.env[service.urlVariable];
  if (given !== undefined && given !== '') {
    const answer = await service.handshake(given).catch(() => null);
    return { service: service.name, mode: answer === null ? 'url, no answer' : 'url', version: answer?.version ?? 'unknown', url: given };
  }
  const running = await findRunning(service);
  if (running !== null) return { service: service.name, mode: running.mode, version: running.version, url: running.url };
  const state = loadState(service.name);
  return { service: service.name, mode: state === null ? 'never started' : 'stopped', version: state?.version ?? '-', url: null };
}

/** A password from the environment is a real one; those that this script made are throw-away. */
function printable(report: Report): Report {
  if (report.url === null || !report.mode.startsWith('url')) return report;
  const url = new URL(report.url);
  if (url.password !== '') url.password = '***';
  return { ...report, url: url.href };
}

const MODES = ['docker', 'system', 'npm', 'maven', 'go'] as const;
const isMode = (text: string): text is Exclude<Mode, 'url'> => (MODES as readonly string[]).includes(text);

/** Old versions run where somebody asks for them. */
function isMeant(service: ServiceDefinition, command: string | undefined): boolean {
  return service.onDemand !== true || (command !== 'up' && loadState(service.name) !== null);
}

/** `null`: it cannot be had here, and nobody asked for it by name. */
async function attempt(service: ServiceDefinition, isForAll: boolean, work: () => Promise<Report>): Promise<Report | null> {
  try {
    return printable(await work());
  } catch (error) {
    if (!isForAll || service.wherePossible !== true || !(error instanceof ServiceUnavailable)) throw error;
    process.stderr.write(`${error.message}\n${service.name}: what needs it is skipped\n`);
    return null;
  }
}

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      purge: { type: 'boolean', default: false },
      mode: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const [name, ...names] = positionals;
  const command = COMMANDS[name ?? ''];
  if (values.help || command === undefined) {
    (values.help ? process.stdout : process.stderr).write(`${USAGE}\n`);
    return values.help ? 0 : 2;
  }
  const { mode = null } = values;
  if (mode !== null && !isMode(mode)) throw new TypeError(`--mode is one of ${MODES.join(', ')}, not "${mode}"`);
  const services = names.length === 0 ? SERVICES.filter((s) => isMeant(s, name)) : names.map(serviceByName);
  const reports: Report[] = [];
  for (const service of services) {
    const report = await attempt(service, names.length === 0, () => command(service, { json: values.json, purge: values.purge, mode }));
    if (report === null) continue;
    reports.push(report);
    if (!values.json) process.stdout.write(`${report.service}  ${report.mode}  ${report.version}  ${report.url ?? '-'}\n`);
  }
  if (values.json) process.stdout.write(`${JSON.stringify(reports)}\n`);
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof ServiceUnavailable ? 3 : error instanceof TypeError ? 2 : 1;
}
