import { describe, expect, it } from 'vitest';
import { positionOf } from '../../../../../src/systems/kafka/consuming/position.ts';
import { type StartFacts, startOf } from '../../../../../src/systems/kafka/consuming/start.ts';

const facts = (changes: Partial<StartFacts> = {}): StartFacts => ({
  stored: null,
  committed: null,
  member: 'me',
  low: 10n,
  high: 100n,
  reset: 'earliest',
  ...changes,
});
const by = (metadata: string, offset: bigint) => ({ offset, metadata });

describe('startOf', () => {
  it.each([
    ['a new partition at the earliest message', facts(), { kind: 'at', next: 10n, isFresh: false }],
    ['a new partition at the latest, which is to be stored', facts({ reset: 'latest' }), { kind: 'at', next: 100n, isFresh: true }],
    [
      'an empty partition at its beginning, which needs no storing',
      facts({ reset: 'latest', low: 0n, high: 0n }),
      { kind: 'at', next: 0n, isFresh: false },
    ],
    ['nowhere when it must be known', facts({ reset: 'none' }), { kind: 'unknown' }],
    ['behind the place of the pipeline', facts({ stored: positionOf(41n) }), { kind: 'at', next: 42n, isFresh: false }],
    ['at what the group has, for a pipeline without a place', facts({ committed: by('', 50n) }), { kind: 'at', next: 50n, isFresh: false }],
    [
      'at the place of the pipeline, when we have committed more ourselves: an operator has moved it back',
      facts({ stored: positionOf(19n), committed: by('me', 60n) }),
      { kind: 'at', next: 20n, isFresh: false },
    ],
    [
      'at what another member has committed, when that is further',
      facts({ stored: positionOf(19n), committed: by('them', 60n) }),
      { kind: 'at', next: 60n, isFresh: false },
    ],
    [
      'at the place of the pipeline, when another member has less',
      facts({ stored: positionOf(79n), committed: by('them', 60n) }),
      { kind: 'at', next: 80n, isFresh: false },
    ],
    ['not where messages are gone', facts({ stored: positionOf(8n) }), { kind: 'gone', next: 9n }],
    ['at the first that is there', facts({ stored: positionOf(9n) }), { kind: 'at', next: 10n, isFresh: false }],
    ['at the end', facts({ stored: positionOf(99n) }), { kind: 'at', next: 100n, isFresh: false }],
    ['not behind the end: it is another topic', facts({ stored: positionOf(100n) }), { kind: 'diverged', next: 101n }],
  ])('begins %s', (_title, given, start) => {
    expect(startOf(given)).toEqual(start);
  });
});
