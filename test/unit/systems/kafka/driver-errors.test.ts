import { describe, expect, it } from 'vitest';
import { messageOf, troubleOf } from '../../../../src/systems/kafka/driver-errors.ts';

const made = (name: string, fields: object = {}): Error => Object.assign(new Error(`${name} happened`), { name, ...fields });

describe('troubleOf', () => {
  it.each([
    [made('KafkaJSProtocolError', { type: 'TOPIC_AUTHORIZATION_FAILED' }), 'forbidden'],
    [made('KafkaJSNumberOfRetriesExceeded', { cause: made('KafkaJSProtocolError', { type: 'MESSAGE_TOO_LARGE' }) }), 'too_large'],
    [made('KafkaJSNonRetriableError', { cause: made('KafkaJSSASLAuthenticationError') }), 'login'],
    [made('KafkaJSConnectionError', { code: 'ECONNREFUSED' }), 'unreachable'],
    [made('KafkaJSConnectionError', { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }), 'certificate'],
    [made('KafkaJSError', { cause: made('KafkaJSProtocolError', { type: 'REBALANCE_IN_PROGRESS' }) }), 'rebalance'],
    [made('KafkaJSAggregateError', { errors: [made('KafkaJSCreateTopicError', { type: 'INVALID_TOPIC_EXCEPTION' })] }), 'no_topic'],
    [made('KafkaJSError', { retriable: true }), 'temporary'],
    [new Error('anything'), 'other'],
    ['text', 'other'],
  ])('knows %s', (error, trouble) => {
    expect(troubleOf(error)).toBe(trouble);
  });

  it('takes the text of the cause', () => {
    expect(messageOf(made('KafkaJSNumberOfRetriesExceeded', { cause: made('Inner') }))).toBe('Inner happened');
  });
});
