import { describe, expect, it } from 'vitest';
import { sensitiveColumns, withoutQuotes, withoutValues } from '../../../src/engine/sensitive.ts';
import { TransformChain } from '../../../src/engine/transform-chain.ts';
import { CdcError, type ChangeEvent, type Row, systemClock, type Transformer } from '../../../src/sdk/index.ts';
import { event } from '../dead-letters/samples.ts';

const step = (name: string, transformer: Partial<Transformer>) => ({
  name,
  timeoutMs: 1000,
  transformer: { transform: (events: ChangeEvent[]) => events, ...transformer },
});
const fails = (text: string): Partial<Transformer> => ({
  transform: () => {
    throw new Error(text);
  },
});
const hides = (...columns: string[]): Partial<Transformer> => ({ sensitive: () => columns });
const one = (after: Row): ChangeEvent => event(1, { before: null, after });

describe('columns that a transformer hides', () => {
  it('are those of the failing step and of the later ones, not of those before', async () => {
    const chain = new TransformChain(
      [step('a', hides('done')), step('b', { ...fails('bad card 4111-1111'), ...hides('card') }), step('c', hides('ssn'))],
      systemClock,
      null,
    );
    const { failures } = await chain.run([one({ id: 1n, card: '4111-1111', ssn: '123-45-6789' })]);
    expect(failures).toMatchObject([{ component: 'b', sensitive: ['card', 'ssn'], error: { message: 'bad card ***' } }]);
    expect(failures[0]?.error.cause).toBeUndefined();
    expect(chain.hidesColumns).toBe(true);
  });

  it('are all of them when the step cannot tell', () => {
    const unsure = step('x', {
      sensitive: () => {
        throw new Error('no idea');
      },
    });
    expect(sensitiveColumns([unsure], one({ id: 1n, a: 1, b: 2 }))).toEqual(['id', 'a', 'b']);
  });
});

describe('an error message', () => {
  const cases: [string, Row, string, string][] = [
    ['a text', { c: 'hunter22' }, 'value "hunter22" is too long, hunter22', 'value "***" is too long, ***'],
    ['a number', { c: 12345n }, 'key 12345 is there', 'key *** is there'],
    ['a short one only where it stands alone', { c: 7 }, 'row 7 of 17 has 7, not 70', 'row *** of 17 has ***, not 70'],
    ['parts of a JSON value', { c: { street: 'Elm Road', no: [42] } }, 'Elm Road 42 is unknown', '*** *** is unknown'],
    ['bytes', { c: new Uint8Array([0xde, 0xad, 0xbe, 0xef]) }, 'x deadbeef or 3q2+7w==', 'x *** or ***'],
    ['signs of regular expressions', { c: '.*' }, 'got .* here', 'got *** here'],
    ['nothing of other columns', { c: null, d: 'shown' }, 'shown as it is', 'shown as it is'],
  ];
  it.each(cases)('does not quote %s of a hidden column', (_title, row, message, expected) => {
    const error = withoutValues(new CdcError('PLUGIN_FAILED', message, { fix: message, retriable: true }), one(row), ['c']);
    expect(error).toMatchObject({ code: 'PLUGIN_FAILED', message: expected, fix: expected, retriable: true });
  });

  it('of an input that could not be read quotes nothing', () => {
    const error = new CdcError('SOURCE_DATA_INVALID', 'Unexpected token in "{"card":"4111"}" at 3');
    expect(withoutQuotes(error).message).toBe('Unexpected token in "***" at 3');
  });
});
