// The command that begins a stream.

import { quoteName, quoteText } from '../../../util/sql-names.ts';
import { formatLsn } from '../lsn.ts';

/** https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html, options of pgoutput. */
export function startCommand(slot: string, publications: readonly string[], from: bigint): string {
  const names = publications.map(quoteName).join(',');
  const options = `proto_version '1', publication_names ${quoteText(names)}, messages 'true'`;
  return `START_REPLICATION SLOT ${quoteName(slot)} LOGICAL ${formatLsn(from)} (${options})`;
}
