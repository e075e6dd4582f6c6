// Helpers that the tables of properties are written with: what one property becomes.

import { globsOf } from './patterns.ts';
import { type Draft, listOf } from './translation.ts';

export type Rule = (value: string, draft: Draft, property: string) => void;
export type Rules = Readonly<Record<string, Rule>>;

/** Read together with another property, or said by our own source as it is. */
export const handled: Rule = () => undefined;

export const text =
  (key: string): Rule =>
  (value, draft, property) =>
    draft.set(key, value, property);

export const whole =
  (key: string): Rule =>
  (value, draft, property) => {
    if (isReference(value)) draft.set(key, value, property);
    else if (/^\d{1,10}$/.test(value)) draft.set(key, Number(value), property);
    else draft.refuse(property, `${shown(value)} is no whole number`, 'Correct it.');
  };

/** Milliseconds, as a text with its unit. */
export const milliseconds =
  (key: string): Rule =>
  (value, draft, property) => {
    if (/^\d{1,12}$/.test(value)) draft.set(key, `${value}ms`, property);
    else draft.refuse(property, `${shown(value)} is no number of milliseconds`, 'Correct it.');
  };

export const flag =
  (key: string): Rule =>
  (value, draft, property) =>
    draft.set(key, value === 'true', property);

/** `null`: nothing to set. */
export const choice =
  (key: string, values: Readonly<Record<string, string | null>>, fix: string): Rule =>
  (value, draft, property) => {
    const ours = Object.hasOwn(values, value.toLowerCase()) ? values[value.toLowerCase()] : undefined;
    if (ours === undefined) draft.refuse(property, `${shown(value)} has no counterpart`, fix);
    else if (ours !== null) draft.set(key, ours, property);
  };

/** Not honoured; `needs`: only when it is not this value, which asks for what we do anyway. */
export const warning =
  (message: string, fix: string, needs?: string): Rule =>
  (value, draft, property) => {
    if (value !== needs) draft.warn(property, message, fix);
  };
export const refused =
  (message: string, fix: string, needs?: string): Rule =>
  (value, draft, property) => {
    if (value !== needs) draft.refuse(property, message, fix);
  };

/** Of no use here: `instead` says what does the same. */
export const needless = (instead: string): Rule => warning(`has no counterpart: ${instead}`, 'Leave it out.');

/** Of the records. */
export const record =
  (option: string): Rule =>
  (value, draft, property) =>
    draft.option(property, option, value === 'true' ? true : value === 'false' ? false : value);

/** A list of expressions as a list of patterns. */
export const patterns =
  (key: string, parts: number, fix: string): Rule =>
  (value, draft, property) => {
    const globs = globsOfList(value, parts, draft, property, fix);
    if (globs !== null) draft.set(key, globs, property);
  };

export function globsOfList(value: string, parts: number, draft: Draft, property: string, fix: string): string[] | null {
  const globs: string[] = [];
  for (const expression of listOf(value)) {
    const found = globsOf(expression, parts);
    if (found === null) {
      draft.refuse(property, `the expression ${shown(expression)} cannot be written with * and ?`, fix);
      return null;
    }
    globs.push(...found);
  }
  return [...new Set(globs)];
}

export const shown = (value: string): string => JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);

/** A variable that is filled in when the pipeline is loaded. */
export const isReference = (value: string): boolean => /^\$\{[^}]+\}$/.test(value);
