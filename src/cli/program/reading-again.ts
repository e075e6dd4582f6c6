// Commands that show or send again what was read, or have it read again.

import type { Command } from 'commander';
import { collect, parseChoice, parseLimit, parseNames, parseOps } from '../arguments.ts';
import type { ConsumeFlags } from '../commands/consume.ts';
import type { ReplayFlags } from '../commands/replay.ts';
import type { SnapshotFlags } from '../commands/snapshot.ts';
import { type AddCommand, files } from './command.ts';

/** As in envelope/create.ts, which `--help` does not load. */
const ENVELOPES = ['debezium', 'plain', 'cdc_event', 'sync_event', 'elide', 'cloudevents', 'row'] as const;

export function addReadingAgain(command: AddCommand): void {
  command<ConsumeFlags>(
    'consume <topic>',
    'print the events of a log on disk: a pipeline, or <pipeline>.<table>',
    consumeOptions,
    async (cli, args, o) => (await import('../commands/consume.ts')).consume(cli, args[0] ?? '', o),
    ['consume orders', 'consume orders.items --from 90m --op u,d', 'consume orders --follow --where "row.total > 100"'],
  );
  command<ReplayFlags>(
    'replay <pipeline>',
    'send a stretch of the log on disk to a destination again',
    replayOptions,
    async (cli, args, o) => (await import('../commands/replay.ts')).replay(cli, args[0] ?? '', o),
    ['replay orders --from 6h --dry-run', 'replay orders --destination replica --from 2026-01-02T03:04:05Z --tables orders,items'],
  );
  command<SnapshotFlags>(
    'snapshot <pipeline>',
    'read tables again; pause, resume or skip their snapshot',
    snapshotOptions,
    async (cli, args, o) => (await import('../commands/snapshot.ts')).snapshot(cli, args[0] ?? '', o),
    [
      'snapshot orders --tables items,sales.orders',
      `snapshot orders --tables items --where "id > 1000"`,
      'snapshot orders --tables items --pause',
    ],
  );
}

function consumeOptions(command: Command): Command {
  return files(command)
    .option('--from-beginning', 'from the oldest event that is kept (the default without --follow)', false)
    .option('--from <time|record>', 'from a time (2026-01-02T03:04:05Z), an age (90m) or the number of a record')
    .option('-f, --follow', 'go on with what comes', false)
    .option('--table <table>', 'only this table: items, public.items (repeatable)', collect, [])
    .option('--op <ops>', 'only these operations: c,u,d,r,t,m,s', parseOps)
    .option('--where <expression>', 'only events for which this is true, as in the filter transformer')
    .option('--limit <n>', 'end after this many events', parseLimit, null)
    .option('--envelope <type>', `shape of the lines: ${ENVELOPES.join(', ')}`, parseChoice('--envelope', ENVELOPES), 'debezium');
}

function replayOptions(command: Command): Command {
  return files(command)
    .option('--destination <name>', 'who gets it again; may be left out when there is one')
    .option('--from <time|record>', 'from a time (2026-01-02T03:04:05Z), an age (90m) or the number of a record')
    .option('--to <time|record>', 'up to there, instead of up to where the destination stands; needs --force')
    .option('--tables <tables>', 'only these: items,public.orders', parseNames, [])
    .option('--dry-run', 'only show what would be sent', false)
    .option('--force', 'also what may leave rows older than they are', false)
    .option('--cancel', 'take a replay back that a stopped pipeline has not done', false);
}

function snapshotOptions(command: Command): Command {
  return files(command)
    .option('--tables <tables>', 'these: items,sales.orders,audit.*', parseNames, [])
    .option('--source <name>', 'of this source; may be left out when there is one')
    .option('--where <condition>', 'only rows that meet it, in the language of the source')
    .option('--pause', 'read no more of them until --resume', false)
    .option('--resume', 'go on with what was paused', false)
    .option('--skip', 'give up what is not out yet', false);
}
