// Columns of a query as the server describes them in its answer, in the form in which the catalog describes those of a table. Names of
// ENUM and SET are not told: their values are texts. https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html

import type { CatalogColumn } from './catalog.ts';

/** As the driver hands it out. */
export interface QueryField {
  readonly name: string;
  readonly orgName: string;
  readonly orgTable: string;
  readonly schema: string;
  readonly columnType: number;
  readonly columnLength: number;
  readonly flags: number;
  readonly decimals: number;
  readonly characterSet: number;
}

const NOT_NULL = 1,
  UNSIGNED = 32;
const BINARY_CHARSET = 63,
  MOST_BYTES_OF_A_LETTER = 4;
/** The server says 31 where digits are as many as there are. */
const MOST_DIGITS = 6;
const WHOLE: Readonly<Record<number, string>> = { 1: 'tinyint', 2: 'smallint', 3: 'int', 8: 'bigint', 9: 'mediumint' };
const SIMPLE: Readonly<Record<number, string>> = { 4: 'float', 5: 'double', 10: 'date', 13: 'year', 245: 'json', 255: 'geometry' };
const FRACTIONAL: Readonly<Record<number, string>> = { 7: 'timestamp', 11: 'time', 12: 'datetime' };
const DECIMALS = [0, 246],
  BIT = 16,
  VARIABLE = [15, 253],
  FIXED = 254;

function typeOf({ columnType, columnLength, flags, decimals, characterSet }: QueryField): string {
  const suffix = (flags & UNSIGNED) === 0 ? '' : ' unsigned',
    isBinary = characterSet === BINARY_CHARSET;
  if (columnType === 1 && columnLength === 1 && suffix === '') return 'tinyint(1)';
  const whole = WHOLE[columnType],
    fractional = FRACTIONAL[columnType];
  if (whole !== undefined) return whole + suffix;
  if (SIMPLE[columnType] !== undefined) return SIMPLE[columnType] as string;
  if (fractional !== undefined) return decimals > 0 && decimals <= MOST_DIGITS ? `${fractional}(${decimals})` : fractional;
  if (DECIMALS.includes(columnType)) {
    const precision = columnLength - (decimals > 0 ? 1 : 0) - (suffix === '' ? 1 : 0);
    return `decimal(${precision},${decimals})${suffix}`;
  }
  if (columnType === BIT) return `bit(${columnLength})`;
  const letters = isBinary ? columnLength : Math.floor(columnLength / MOST_BYTES_OF_A_LETTER);
  if (VARIABLE.includes(columnType)) return `${isBinary ? 'varbinary' : 'varchar'}(${letters})`;
  if (columnType === FIXED) return `${isBinary ? 'binary' : 'char'}(${letters})`;
  return isBinary ? 'longblob' : 'longtext';
}

const TEXT = /^(?:var)?char|text$/;
export const isText = ({ columnType }: Pick<CatalogColumn, 'columnType'>): boolean => TEXT.test(columnType);

/** `collation`: of a text. */
export function columnOfField(field: QueryField, collation: string | null): CatalogColumn {
  const columnType = typeOf(field),
    hasLetters = isText({ columnType });
  return {
    name: field.name,
    columnType,
    // Whatever they are stored in, they come as we asked for them.
    charset: hasLetters ? 'utf8mb4' : null,
    collation: hasLetters ? collation : null,
    nullable: (field.flags & NOT_NULL) === 0,
    defaultSql: null,
    isVirtual: false,
    comment: '',
  };
}
