import { expect, it } from 'vitest';
import { logPositions, positionAfter } from '../../../../src/sources/postgresql/position.ts';
import { RowPlaces } from '../../../../src/sources/postgresql/row-place.ts';

const PLACE = positionAfter(0x16b374d848n);
const places = new RowPlaces(PLACE, '10b7.5f00', 3000);

it.each([0, 9, 10, 99, 100, 12_345])('the place of row %i is the same as text, as bytes and in length', (index) => {
  const place = places.at(index),
    text = `${PLACE}.r.10b7.5f00.3000.${index}`,
    bytes = Buffer.alloc(100, '-');
  place.put(bytes, 3);
  expect([place.text(), place.length, bytes.toString()]).toEqual([text, text.length, `---${text}`.padEnd(100, '-')]);
});

it('has its LSN beside another row at the same place only', () => {
  const other = new RowPlaces(positionAfter(1n), '10b7.5f00', 3000).at(17);
  expect([places.at(1).numberBeside(places.at(17)), places.at(17).numberBeside(other)]).toEqual([0x16b374d848, -1]);
  expect(places.at(1).fields(null)['lsn']).toBe(0x16b374d848);
});

it('has the fields of its text', () => {
  for (const transaction of [null, '739', '740', null]) {
    expect(places.at(17).fields(transaction)).toEqual(logPositions.fields?.(places.at(17).text(), transaction));
  }
});
