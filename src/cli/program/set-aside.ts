// Commands on what a pipeline puts down beside its destinations: dead letters, and the log of an audit trail.

import type { Command } from 'commander';
import { collect, parseBefore } from '../arguments.ts';
import { type AddCommand, type FileOptions, files } from './command.ts';

export interface DlqFlags extends FileOptions {
  readonly all: boolean;
  readonly id: readonly string[];
  readonly code: readonly string[];
  /** Milliseconds since the epoch. */
  readonly before?: number;
  readonly out?: string;
  readonly decrypt: boolean;
  readonly dryRun: boolean;
  readonly force: boolean;
  readonly yes: boolean;
}

export interface AuditFlags {
  readonly publicKey?: string;
  readonly hmacKeyFile?: string;
}

export function addSetAside(command: AddCommand): void {
  command<DlqFlags>(
    'dlq <action> <pipeline> [id]',
    'dead letters: list, show, export, replay, purge',
    dlqOptions,
    async (cli, args, o) => (await import('../commands/dlq.ts')).dlq(cli, args, o),
    [
      'dlq list orders',
      'dlq show orders 3f2a91bc',
      'dlq replay orders --code DESTINATION_EVENT_REJECTED --dry-run',
      'dlq export pipelines/orders.yaml --out letters.ndjson',
      'dlq purge orders --before 30d --yes',
    ],
  );
  command<AuditFlags>(
    'audit <action> <path>',
    'audit verify: check the hash chain of an audit log',
    auditOptions,
    async (cli, args, o) => (await import('../commands/audit.ts')).audit(cli, args[0] ?? '', args[1] ?? '', o),
    ['audit verify .cdc/audit/orders.ndjson', 'audit verify .cdc/audit/orders.ndjson --public-key audit.pub.pem'],
  );
}

function dlqOptions(command: Command): Command {
  return files(command)
    .option('--all', 'list: each letter, not grouped by cause; replay, purge: all letters', false)
    .option('--id <id>', 'replay, purge: this letter, by its id or its short one (repeatable)', collect, [])
    .option('--code <code>', 'replay, purge: letters with this error code (repeatable)', collect, [])
    .option('--before <time>', 'replay, purge: last tried before: 2026-01-31, or 30d ago', parseBefore)
    .option('--dry-run', 'replay: only say what would be sent', false)
    .option('--force', 'replay: also what may undo newer events; export: replace the file', false)
    .option('--yes', 'purge: yes, remove them for good', false)
    .option('--out <file>', 'export: write to this file')
    .option('--decrypt', 'show, export: with the columns that are encrypted', false);
}

/** Keys come from files: what stands on the command line is seen by everybody on the machine. */
function auditOptions(command: Command): Command {
  return command
    .option('--public-key <file>', 'check signatures with this Ed25519 public key (PEM)')
    .option('--hmac-key-file <file>', 'check signatures with the shared secret in this file');
}
