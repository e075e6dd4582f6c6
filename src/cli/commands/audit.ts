// `cdc-run audit verify <path>`: checks that an audit log is whole: nothing changed, nothing missing, nothing put in between.

import { readFileSync } from 'node:fs';
import type { AuditVerification } from '../../../plugins/middleware/audit-trail/verify.ts';
import { suggest } from '../../config/suggest.ts';
import { CdcError } from '../../sdk/errors.ts';
import { usageError } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { EXIT, exitCodeOf } from '../exit-code.ts';
import { plural } from '../format.ts';
import type { AuditFlags } from '../program/set-aside.ts';

export async function audit(cli: Cli, action: string, path: string, flags: AuditFlags): Promise<number> {
  if (action !== 'verify') {
    const meant = suggest(action, ['verify']);
    throw usageError(
      `Unknown action "${action}" of audit`,
      meant === undefined ? 'Write `cdc-run audit verify <path>`.' : `Did you mean \`cdc-run audit ${meant} ${path}\`?`,
    );
  }
  const { verifyAuditLog } = await import('../../../plugins/middleware/audit-trail/verify.ts');
  const result = await verifyAuditLog(path, {
    ...(flags.publicKey === undefined ? {} : { publicKey: readKey('--public-key', flags.publicKey) }),
    // Editors put a line end behind a secret; it is not part of it.
    ...(flags.hmacKeyFile === undefined ? {} : { hmacKey: readKey('--hmac-key-file', flags.hmacKeyFile).replace(/\r?\n$/, '') }),
  });
  if (cli.output.json) cli.output.document({ path, ...result });
  else if (result.ok) cli.output.print(wholeLines(path, result, cli));
  else cli.output.error(brokenError(path, result));
  return result.ok ? EXIT.ok : exitCodeOf('AUDIT_CHAIN_BROKEN');
}

function wholeLines(
  path: string,
  { records, signatures, unconfirmedWrites, incompleteLine }: AuditVerification,
  { output }: Cli,
): string[] {
  const c = output.colors;
  const signed = { none: 'not signed', checked: 'signatures right', unchecked: 'signed, but no key was given to check that' }[signatures];
  return [
    `${c.green('✔')} ${path}  ${plural(records, 'record')}, the chain is whole, ${signed}`,
    ...(unconfirmedWrites > 0
      ? [`  ${c.yellow('!')} ${plural(unconfirmedWrites, 'write')} without result: after a crash, or a pipeline is at work`]
      : []),
    ...(incompleteLine ? [`  ${c.yellow('!')} the last line is not complete: after a crash, or a pipeline is at work`] : []),
  ];
}

function brokenError(path: string, { brokenAt, records }: AuditVerification): CdcError {
  const place = brokenAt === undefined ? '' : ` in line ${brokenAt.line}: ${brokenAt.reason}`;
  return new CdcError(
    'AUDIT_CHAIN_BROKEN',
    `The audit log is broken${place}. The ${plural(records, 'record')} before it ${records === 1 ? 'is' : 'are'} right.`,
    {
      where: path,
      fix: 'Keep the file as it is, and compare it with a copy.',
    },
  );
}

function readKey(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CdcError('CONFIG_FILE_UNREADABLE', `The key file ${JSON.stringify(file)} cannot be read: ${(cause as Error).message}`, {
      where: option,
      fix: `Correct the path of \`${option}\`.`,
      cause,
    });
  }
}
