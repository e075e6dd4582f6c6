// What a configuration of the `nats` destination may not say.

import { describe, expect, it } from 'vitest';
import { validate } from '../../../../src/destinations/nats/config.ts';
import { natsDestinationConfig } from '../../../helpers/nats.ts';

describe('a configuration', () => {
  it.each([
    [{ subject: 'cdc.{database}.{table}' }, []],
    [{ subject: 'cdc.{tabel}' }, ['subject']],
    [{ subject: 'cdc.{table' }, ['subject']],
    [{ subject: '{table}' }, ['stream', 'stream_defaults']],
    [{ subject: '{table}', stream: 'S', create_stream: false }, []],
  ])('%j has problems at %j', (changes, expected) => {
    expect(validate(natsDestinationConfig('nats://localhost', changes)).map((p) => String(p.path[0]))).toEqual(expected);
  });
});
