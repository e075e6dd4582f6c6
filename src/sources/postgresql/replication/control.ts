// Messages of the stream that are no data: it begins, it ends, something is wrong. Pure.
// https://www.postgresql.org/docs/current/protocol-replication.html

import { errorFields, ReplicationServerError } from './frames.ts';

/** The function of the server that warns of it: unlike the text, its name is not translated. */
const SKIPS_PUBLICATION = 'LoadPublications';

/** `failed` without an error: the server ended the stream. */
export type Control =
  | { readonly kind: 'started' }
  | { readonly kind: 'failed'; readonly error: Error | null }
  | { readonly kind: 'notice'; readonly text: string | undefined };

/**
 * `null`: it means nothing to us. From 18 on a publication that is gone is a mere warning, and its changes are left out: what comes
 * behind it must not be confirmed. Throws there, so that no frame behind it is taken.
 */
export function readControl(type: string, bytes: Buffer, start: number, end: number): Control | null {
  switch (type) {
    case 'W':
      return { kind: 'started' };
    case 'E':
      return { kind: 'failed', error: new ReplicationServerError(errorFields(bytes, start, end)) };
    case 'c':
      return { kind: 'failed', error: null };
    case 'N': {
      const fields = errorFields(bytes, start, end);
      if (fields.get('R') === SKIPS_PUBLICATION) throw new ReplicationServerError(fields);
      return { kind: 'notice', text: fields.get('M') };
    }
    default:
      return null;
  }
}
