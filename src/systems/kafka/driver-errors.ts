// What an error of kafkajs or of @platformatic/kafka is about. Whether it can be tried again, and what to tell the operator, is for the adapters.
// https://kafka.apache.org/protocol#protocol_error_codes

import { CertificateFileError, isCertificateError, NETWORK_CODES } from '../tls.ts';

export type Trouble =
  | 'unreachable'
  | 'login'
  | 'certificate'
  | 'forbidden'
  | 'no_topic'
  | 'too_large'
  | 'refused_record'
  | 'fenced'
  | 'out_of_range'
  | 'rebalance'
  | 'temporary'
  | 'other';

const BY_TYPE: Readonly<Record<string, Trouble>> = {
  TOPIC_AUTHORIZATION_FAILED: 'forbidden',
  GROUP_AUTHORIZATION_FAILED: 'forbidden',
  CLUSTER_AUTHORIZATION_FAILED: 'forbidden',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'forbidden',
  DELEGATION_TOKEN_AUTHORIZATION_FAILED: 'forbidden',
  SASL_AUTHENTICATION_FAILED: 'login',
  UNSUPPORTED_SASL_MECHANISM: 'login',
  ILLEGAL_SASL_STATE: 'login',
  UNKNOWN_TOPIC_OR_PARTITION: 'no_topic',
  INVALID_TOPIC_EXCEPTION: 'no_topic',
  UNKNOWN_TOPIC_ID: 'no_topic',
  MESSAGE_TOO_LARGE: 'too_large',
  RECORD_LIST_TOO_LARGE: 'too_large',
  CORRUPT_MESSAGE: 'refused_record',
  INVALID_RECORD: 'refused_record',
  INVALID_TIMESTAMP: 'refused_record',
  INVALID_PRODUCER_EPOCH: 'fenced',
  PRODUCER_FENCED: 'fenced',
  TRANSACTION_COORDINATOR_FENCED: 'fenced',
  INVALID_PRODUCER_ID_MAPPING: 'fenced',
  OFFSET_OUT_OF_RANGE: 'out_of_range',
  REBALANCE_IN_PROGRESS: 'rebalance',
  ILLEGAL_GENERATION: 'rebalance',
  UNKNOWN_MEMBER_ID: 'rebalance',
  FENCED_INSTANCE_ID: 'rebalance',
};

/** `type`, `retriable`: kafkajs; `apiId`, `canRetry`: @platformatic/kafka. */
interface DriverError extends Error {
  readonly type?: unknown;
  readonly apiId?: unknown;
  readonly code?: unknown;
  readonly retriable?: unknown;
  readonly canRetry?: unknown;
}

/** An error and all that caused it, outermost first. */
function* chain(error: unknown): Generator<DriverError> {
  const waiting = [error];
  for (let seen = 0; waiting.length > 0 && seen < 20; seen++) {
    const next = waiting.shift();
    if (!(next instanceof Error)) continue;
    yield next;
    const { cause, errors } = next as { cause?: unknown; errors?: unknown };
    waiting.push(cause, ...(Array.isArray(errors) ? (errors as unknown[]) : []));
  }
}

export function troubleOf(error: unknown): Trouble {
  let found: Trouble = 'other';
  for (const e of chain(error)) {
    const here = troubleHere(e);
    // The inner one says more, unless it says nothing.
    if (here !== 'other' && (found === 'other' || found === 'temporary' || found === 'unreachable')) found = here;
  }
  return found;
}

function troubleHere(e: DriverError): Trouble {
  if (e instanceof CertificateFileError || isCertificateError(e.code)) return 'certificate';
  const type = e.type ?? e.apiId,
    known = typeof type === 'string' ? BY_TYPE[type] : undefined;
  if (known !== undefined) return known;
  // A handshake that ends without a word: the other end wants no TLS, or no plain text.
  if (/SASL/.test(e.name) || e.code === 'PLT_KFK_AUTHENTICATION') return 'login';
  if (typeof e.code === 'string' && (NETWORK_CODES.has(e.code) || e.code === 'PLT_KFK_NETWORK')) return 'unreachable';
  switch (e.name) {
    case 'KafkaJSConnectionError':
    case 'KafkaJSConnectionClosedError':
    case 'KafkaJSRequestTimeoutError':
    case 'KafkaJSBrokerNotFound':
    case 'KafkaJSNoBrokerAvailableError':
      return 'unreachable';
    case 'KafkaJSOffsetOutOfRange':
      return 'out_of_range';
    case 'KafkaJSTopicMetadataNotLoaded':
    case 'KafkaJSMetadataNotLoaded':
      return 'no_topic';
    default:
      return e.retriable === true || e.canRetry === true ? 'temporary' : 'other';
  }
}

/** The innermost text: the outer ones say that it was tried several times. */
export function messageOf(error: unknown): string {
  let text = error instanceof Error ? error.message : String(error);
  for (const e of chain(error)) if (e.message !== '') text = e.message;
  return text;
}

/** As a broker says it that has not heard of a new topic. */
export const noTopicYet = (topic: string): Error =>
  Object.assign(new Error(`topic ${topic} is not known to all brokers yet`), { type: 'UNKNOWN_TOPIC_OR_PARTITION', retriable: true });
