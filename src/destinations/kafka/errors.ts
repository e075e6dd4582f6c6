// What went wrong at a Kafka destination, and whether trying again can help: decided here and only here.

import { CdcError, type CdcErrorOptions, type ErrorCode } from '../../sdk/index.ts';
import { messageOf, type Trouble, troubleOf } from '../../systems/kafka/driver-errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly retriable: boolean;
  readonly fix: string;
}

const MEANINGS: Readonly<Record<Trouble, Meaning>> = {
  unreachable: { code: 'DESTINATION_UNREACHABLE', retriable: true, fix: 'Check `bootstrap_servers`, and that the brokers run.' },
  login: {
    code: 'DESTINATION_FORBIDDEN',
    retriable: false,
    fix: 'Check `security_protocol`, `sasl_mechanism`, the user and the password.',
  },
  certificate: {
    code: 'DESTINATION_FORBIDDEN',
    retriable: false,
    fix: 'Check `ssl_ca`, `ssl_cert` and `ssl_key`, and the name of the broker.',
  },
  forbidden: {
    code: 'DESTINATION_FORBIDDEN',
    retriable: false,
    fix: 'Allow the user to DESCRIBE, WRITE and (for `create_topics`) CREATE the topics; with transactions also to WRITE and DESCRIBE the transactional id, and to READ the topic of points and its groups.',
  },
  no_topic: { code: 'DESTINATION_MISCONFIGURED', retriable: true, fix: 'Create the topic, or set `create_topics: true`.' },
  too_large: {
    code: 'DESTINATION_EVENT_REJECTED',
    retriable: false,
    fix: 'Raise `max.message.bytes` of the topic, or leave large columns out.',
  },
  refused_record: {
    code: 'DESTINATION_EVENT_REJECTED',
    retriable: false,
    fix: 'Compare the record with the settings of its topic: a compacted one takes none without a key.',
  },
  fenced: { code: 'DESTINATION_FENCED', retriable: false, fix: 'Make sure that only one process runs this pipeline, then start it again.' },
  out_of_range: { code: 'DESTINATION_FAILED', retriable: true, fix: 'Look into the log of the brokers.' },
  rebalance: { code: 'DESTINATION_FAILED', retriable: true, fix: 'Look into the log of the brokers.' },
  temporary: { code: 'DESTINATION_FAILED', retriable: true, fix: 'Look into the log of the brokers.' },
  other: { code: 'DESTINATION_FAILED', retriable: true, fix: 'Look into the log of the brokers.' },
};

/** Any error of a call, with the component that it comes from. */
export function toKafkaError(error: unknown, where: string): CdcError {
  if (error instanceof CdcError) return error.where !== null ? error : located(error, where);
  const { code, retriable, fix } = MEANINGS[troubleOf(error)];
  return new CdcError(code, `Kafka: ${messageOf(error)}`, { where, fix, retriable, cause: error });
}

function located(error: CdcError, where: string): CdcError {
  const { message, fix, retriable, cause } = error;
  // The key that asks for tokens is the same for both ends.
  const code = error.code.replace(/^SOURCE_/, 'DESTINATION_') as ErrorCode;
  return new CdcError(code, message, { where, retriable, ...(fix === null ? {} : { fix }), ...(cause === undefined ? {} : { cause }) });
}

export function rejected(message: string, options: Omit<CdcErrorOptions, 'retriable'>): CdcError {
  return new CdcError('DESTINATION_EVENT_REJECTED', message, options);
}

export const fenced = (message: string, where: string): CdcError =>
  new CdcError('DESTINATION_FENCED', message, { where, fix: MEANINGS.fenced.fix });
