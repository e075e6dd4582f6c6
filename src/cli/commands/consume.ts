// `cdc-run consume <topic>`: prints what is in a pipeline's log on disk, as JSON lines; also while the pipeline runs.

import type { PipelineConfig } from '../../engine/pipeline-config.ts';
import { isTable } from '../../engine/table-names.ts';
import type { ENVELOPE_TYPES } from '../../envelope/create.ts';
import type { Envelope } from '../../envelope/envelope.ts';
import type { DiskLogReader } from '../../log/disk/log-reader.ts';
import type { ChangeEvent, Op } from '../../sdk/change-event.ts';
import { CdcError } from '../../sdk/errors.ts';
import { silentLogger } from '../../sdk/logger.ts';
import type { Transformer } from '../../sdk/plugin.ts';
import type { Clock } from '../../sdk/ports.ts';
import { usageError } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-code.ts';
import { inputsOrDefault, loadOrReport } from '../load.ts';
import { onStopSignal } from '../signals.ts';
import { findTopic, parseFrom } from '../topics.ts';

export interface ConsumeFlags {
  readonly config: readonly string[];
  readonly fromBeginning: boolean;
  readonly from?: string;
  readonly follow: boolean;
  readonly table: readonly string[];
  readonly op?: readonly Op[];
  readonly where?: string;
  readonly limit: number | null;
  readonly envelope: (typeof ENVELOPE_TYPES)[number];
}

const FOLLOW_EVERY_MS = 200;
const NEWLINE = Buffer.from('\n');

export async function consume(cli: Cli, topic: string, flags: ConsumeFlags): Promise<number> {
  const loaded = await loadOrReport(cli, inputsOrDefault(flags.config, `consume ${topic} -c`));
  if (loaded === null) return EXIT.configuration;
  const { pipeline, log, table } = findTopic(topic, loaded.pipelines);
  const { openDiskLogReader } = await import('../../log/disk/log-reader.ts');
  const reader = await openDiskLogReader(log.path);
  const stop = new AbortController(),
    unlisten = onStopSignal(process, () => stop.abort());
  try {
    const tables = [...(table === null ? [] : [table]), ...flags.table];
    const printer = new Printer(cli, {
      envelope: await envelopeOf(pipeline, flags.envelope, cli.world.clock),
      where: flags.where === undefined ? null : await openFilter(cli, flags.where),
      isWanted: (event) => tables.length === 0 || tables.some((name) => isTable(event.table.id, name)),
      limit: flags.limit,
    });
    await print(cli, reader, printer, flags, stop.signal);
    return EXIT.ok;
  } finally {
    unlisten();
    await reader.close();
  }
}

async function print({ world }: Cli, reader: DiskLogReader, printer: Printer, flags: ConsumeFlags, stop: AbortSignal): Promise<void> {
  const ops = flags.op === undefined ? {} : { ops: flags.op };
  for (let from = await begin(reader, flags, world.clock.now()); ; ) {
    const until = reader.lastSeq;
    if (from <= until) {
      for await (const { batch, indices } of reader.scan({ fromSeq: Math.max(from, reader.firstSeq), untilSeq: until, ...ops })) {
        await printer.print(indices === null ? batch.events : indices.map((i) => batch.events[i] as ChangeEvent));
        if (printer.isDone || stop.aborted) return;
      }
      from = until + 1;
    }
    if (!flags.follow) return;
    await world.clock.sleep(FOLLOW_EVERY_MS, stop);
    if (stop.aborted || printer.isDone) return;
    await reader.refresh();
  }
}

/** Without a word: everything that is there; with `--follow` alone what comes. */
async function begin(reader: DiskLogReader, flags: ConsumeFlags, nowMs: number): Promise<number> {
  if (flags.from === undefined) return flags.follow && !flags.fromBeginning ? reader.lastSeq + 1 : reader.firstSeq;
  const from = parseFrom('--from', flags.from, nowMs);
  return 'seq' in from ? from.seq : reader.seqAtTime(from.timeMs);
}

/** Opened without its source: what only that knows (its fields of a position, the database's name) is left out. */
async function envelopeOf(pipeline: PipelineConfig, type: ConsumeFlags['envelope'], clock: Clock): Promise<Envelope> {
  const { createEnvelope } = await import('../../envelope/create.ts');
  const own = pipeline.destinations.find((d) => d.envelope.type === type)?.envelope.options;
  return createEnvelope(
    { type, options: own ?? {} },
    {
      pipeline: pipeline.name,
      sources: Object.fromEntries(pipeline.sources.map((s) => [s.name, { connector: s.type, database: null, fields: () => ({}) }])),
      now: () => clock.now(),
    },
  );
}

/** The filter of pipelines, as a pipeline would load it. */
async function openFilter(cli: Cli, expression: string): Promise<Transformer> {
  const { loadDescriptor } = await import('../../catalog.ts');
  const descriptor = await loadDescriptor('transformer', 'filter', { baseDir: '.' });
  if (descriptor.kind !== 'transformer') throw new CdcError('INTERNAL_UNEXPECTED', 'filter is no transformer');
  const { clock } = cli.world;
  const context = { pipeline: 'consume', name: '--where', logger: silentLogger, clock, random: () => 0, store: null };
  try {
    return await descriptor.create({ expression, tables: [], ops: [], mode: 'keep', on_error: 'drop' } as never, context as never);
  } catch (cause) {
    throw usageError(
      `--where: ${cause instanceof Error ? cause.message : String(cause)}`,
      'Correct the expression; see the page of the filter.',
    );
  }
}

interface PrinterOptions {
  readonly envelope: Envelope;
  readonly where: Transformer | null;
  isWanted(event: ChangeEvent): boolean;
  readonly limit: number | null;
}

class Printer {
  readonly #cli: Cli;
  readonly #o: PrinterOptions;
  #left: number;

  constructor(cli: Cli, options: PrinterOptions) {
    this.#cli = cli;
    this.#o = options;
    this.#left = options.limit ?? Number.POSITIVE_INFINITY;
  }

  get isDone(): boolean {
    return this.#left <= 0 || this.#cli.world.stdoutBroken();
  }

  async print(events: readonly ChangeEvent[]): Promise<void> {
    const { envelope, where, isWanted } = this.#o;
    let wanted = events.filter(isWanted);
    if (where !== null && wanted.length > 0) wanted = await where.transform(wanted);
    wanted = wanted.slice(0, this.#left);
    this.#left -= wanted.length;
    const values = envelope.encode(wanted).value.filter((value) => value !== null);
    if (values.length > 0) this.#cli.world.stdout.write(Buffer.concat(values.flatMap((value) => [value, NEWLINE])).toString());
  }
}
