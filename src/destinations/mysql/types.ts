// How a value is spelled for a column that is there: as a literal of SQL. Pure. What a new column becomes: new-column.ts.

import type { Encoder, SourceType, Spelling } from '../../relational/encode.ts';
import {
  canonicalDecimal,
  checkFraction,
  describeValue,
  fitsDouble,
  fitsSingle,
  jsonFor,
  jsonText,
  numberText,
  numericInput,
  UnfitValue,
} from '../../relational/values.ts';
import type { ColumnType, Value } from '../../sdk/index.ts';
import { bytesLiteral, textLiteral } from '../../systems/mysql/names.ts';
import type { TargetColumn } from './target-table.ts';
import { checkJsonNumbers, checkText, dateText, momentText, plainDecimal, timeText } from './values.ts';

type Some = Exclude<Value, null>;

function encoderFor(target: TargetColumn, { type: source }: SourceType): Encoder {
  const { fraction } = target;
  switch (target.kind) {
    case 'int':
      return intLiteral;
    case 'decimal':
      return (v) => plainDecimal(numericInput(v), target.precision, fraction);
    case 'double':
      return doubleLiteral;
    case 'float':
      return (v) => floatLiteral(v, source);
    case 'bytes':
      return bytesEncoder(target);
    case 'bits':
      return bitsEncoder(target);
    case 'json':
      return (v) => textLiteral(checkText(target.keepsJson ? jsonFor(v, source) : checkJsonNumbers(jsonFor(v, source))));
    case 'date':
      return (v) => textLiteral(dateText(asString(v, 'date')));
    case 'time':
      return (v) => textLiteral(checkFraction(timeText(asString(v, 'time')), fraction));
    case 'datetime':
      return (v) => textLiteral(checkFraction(momentText(asString(v, 'timestamp'), false), fraction));
    case 'timestamp':
      return (v) => textLiteral(checkFraction(momentText(asString(v, 'timestamp'), true), fraction));
    case 'year':
      return yearLiteral;
    case 'enum':
      return (v) => textLiteral(member(target, textOf(v, source)));
    case 'set':
      return (v) => textLiteral(members(target, textOf(v, source)));
    default:
      return textEncoder(target, source);
  }
}

function asString(value: Some, what: string): string {
  if (typeof value !== 'string') throw new UnfitValue(`the value is ${describeValue(value)}, not the text of a ${what}`);
  return value;
}

function textEncoder({ length, octets }: TargetColumn, source: ColumnType): Encoder {
  return (value) => {
    const text = checkText(textOf(value, source));
    // Blanks beyond the length are cut without an error. Counted only when it may be too long.
    if (length !== null && text.length > length && [...text].length > length)
      throw new UnfitValue(`the text is longer than the column's ${length} characters`);
    if (octets !== null && text.length * 3 > octets && Buffer.byteLength(text) > octets)
      throw new UnfitValue(`the text is longer than the column's ${octets} bytes`);
    return textLiteral(text);
  };
}

function textOf(value: Some, source: ColumnType): string {
  if (typeof value === 'string') return source === 'uuid' ? value.toLowerCase() : value;
  if (typeof value === 'number') return numberText(value);
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (!(value instanceof Uint8Array)) return jsonText(value);
  if (source === 'geometry') return Buffer.from(value).toString('hex');
  throw new UnfitValue('the value is bytes, the column is a text');
}

/** MySQL's booleans are integers. */
function intLiteral(value: Some): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return Object.is(value, -0) ? '0' : String(value);
  const text = numericInput(value);
  if (!/^[+-]?\d+$/.test(text)) throw new UnfitValue('the value is not a whole number');
  return text;
}

/** Digits as they are, with an exponent: without one they would be a decimal, and `-0` an integer. */
function doubleLiteral(value: Some): string {
  const text = numericInput(value),
    number = Number(text);
  if (!Number.isFinite(number)) throw new UnfitValue('the value is not a finite number');
  if (typeof value !== 'number' && !fitsDouble(text)) throw new UnfitValue('the number has more digits than a double holds');
  return withExponent(number);
}

/** All digits of the single: a comparison makes a double of the column, which a shorter spelling would not equal. */
function floatLiteral(value: Some, source: ColumnType): string {
  const number = Number(doubleLiteral(value));
  if (source !== 'float32' && !fitsSingle(number)) throw new UnfitValue('the number has more digits than a float holds');
  return withExponent(Math.fround(number));
}

function withExponent(number: number): string {
  const text = numberText(number);
  return text.includes('e') ? text : `${text}e0`;
}

function bytesEncoder({ base, length }: TargetColumn): Encoder {
  return (value) => {
    if (!(value instanceof Uint8Array)) throw new UnfitValue(`the value is ${describeValue(value)}, the column holds bytes`);
    if (base === 'binary' && value.length !== length)
      throw new UnfitValue(`the column pads values to ${length} bytes, this one has others`);
    return bytesLiteral(value);
  };
}

function bitsEncoder({ length }: TargetColumn): Encoder {
  return (value) => {
    if (typeof value === 'boolean') return value ? "b'1'" : "b'0'";
    if (typeof value === 'bigint' || Number.isSafeInteger(value)) return String(value);
    const text = asString(value, 'bit string');
    if (!/^[01]+$/.test(text) || text.length !== length) throw new UnfitValue(`the value has not the column's ${length} bits`);
    return `b'${text}'`;
  };
}

/** Two digits would be taken for another century. */
function yearLiteral(value: Some): string {
  const text = intLiteral(value);
  if (text === '0' || /^\d{4}$/.test(text)) return text;
  throw new UnfitValue('the value is not a year of four digits');
}

/** A text of digits that is no member would be taken for a member's number. */
function member(target: TargetColumn, text: string): string {
  if (target.values.includes(text)) return text;
  const found = target.caseless ? target.values.find((v) => v.toLowerCase() === text.toLowerCase()) : undefined;
  if (found === undefined) throw new UnfitValue('the value is not one of those that the column allows');
  return found;
}

function members(target: TargetColumn, text: string): string {
  if (text === '') return text;
  const parts = text.split(',').map((part) => member(target, part));
  return parts.join(',');
}

/** `literal`: as the encoder spells it. */
function identityText(target: TargetColumn, literal: string): string {
  switch (target.kind) {
    case 'int':
    case 'decimal':
    case 'float':
    case 'double':
      return canonicalDecimal(literal) ?? literal;
    case 'time':
    case 'datetime':
    case 'timestamp':
      return literal.replace(/\.0+'$/, "'").replace(/(\.\d*?)0+'$/, "$1'");
    case 'text':
    case 'enum': {
      const text = target.padded ? literal.replace(/ +'$/, "'") : literal;
      return target.caseless ? text.toLowerCase() : text;
    }
    default:
      return literal;
  }
}

export const spelling: Spelling<TargetColumn> = { encoderFor, identityText };
