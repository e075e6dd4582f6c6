// What kind of error the driver threw: a reply code of the protocol, the network, TLS, the login. What each means to the source or
// the destination is said in their `errors.ts`. https://www.rabbitmq.com/amqp-0-9-1-reference#constants

import { CertificateFileError, complaintOf, isCertificateError, NETWORK_CODES } from '../tls.ts';

/**
 * `broken`: the connection or the channel was lost; what was under way may have been done. `away`: the server cannot take it now.
 * `conflict`: what is there differs from what is asked for.
 */
export type ProblemKind =
  | 'unreachable'
  | 'broken'
  | 'certificate'
  | 'our_certificate'
  | 'certificate_file'
  | 'login'
  | 'vhost'
  | 'permission'
  | 'missing'
  | 'in_use'
  | 'conflict'
  | 'too_large'
  | 'away'
  | 'other';

export interface Problem {
  readonly kind: ProblemKind;
  /** For a message: the network's code, or the server's own words. */
  readonly detail: string;
}

const BY_REPLY: Readonly<Record<number, ProblemKind>> = {
  311: 'too_large',
  320: 'away',
  402: 'vhost',
  403: 'permission',
  404: 'missing',
  405: 'in_use',
  406: 'conflict',
  506: 'away',
  530: 'vhost',
  541: 'away',
};

/** The connection could not be made: nothing was sent over it. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError';
}

export function problemOf(error: unknown): Problem {
  if (error instanceof ConnectError) {
    const inner = problemOf(error.cause);
    if (inner.kind === 'permission') return { ...inner, kind: 'login' };
    return ['broken', 'other'].includes(inner.kind) ? { ...inner, kind: 'unreachable' } : inner;
  }
  if (error instanceof CertificateFileError) return { kind: 'certificate_file', detail: `the file ${error.file} cannot be read` };
  const message = error instanceof Error ? error.message : String(error),
    code = (error as { code?: unknown } | null)?.code;
  const complaint = complaintOf(code);
  if (complaint !== null) return { kind: 'our_certificate', detail: complaint };
  if (isCertificateError(code)) return { kind: 'certificate', detail: message };
  if (typeof code === 'string' && NETWORK_CODES.has(code)) return { kind: 'broken', detail: code };
  // The driver keeps the server's reason for itself.
  if (message.includes('Expected ConnectionOpenOk'))
    return { kind: 'vhost', detail: 'the virtual host is not there, or the user may not enter it' };
  const reply = replyOf(message, code);
  if (reply !== null) return { kind: kindOfReply(reply, message), detail: wordsOf(message) };
  if (/heartbeat|socket|closed|closing|ended|unexpected close|ETIMEDOUT|timed out/i.test(message))
    return { kind: 'broken', detail: message };
  return { kind: 'other', detail: message };
}

/** The code of a close by the server. During the handshake the driver has it in its words only. */
function replyOf(message: string, code: unknown): number | null {
  if (typeof code === 'number') return code;
  const found = /Handshake terminated by server: (\d{3})/.exec(message);
  return found === null ? null : Number(found[1]);
}

function kindOfReply(reply: number, message: string): ProblemKind {
  if (/message size \d+ .*larger than/i.test(message)) return 'too_large';
  // The server gives up a consumer that acknowledges nothing for long: https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout
  if (/acknowledgement on channel \d+ timed out/i.test(message)) return 'broken';
  return BY_REPLY[reply] ?? 'other';
}

/** `Channel closed by server: 404 (NOT-FOUND) with message "NOT_FOUND - no queue 'x' in vhost '/'"` → the server's words. */
function wordsOf(message: string): string {
  return (/with message "([^"]*)"/.exec(message)?.[1] ?? message).slice(0, 300);
}

/** What the server takes at most, from its refusal of a larger message; `null`: it is another error. */
export function sizeLimitOf(error: unknown): number | null {
  const found = /message size \d+ .*(?:max size|maximum)\D*(\d+)/i.exec(error instanceof Error ? error.message : '');
  return found === null ? null : Number(found[1]);
}
