// Names of subjects: what may stand between two dots, and which subjects a pattern takes. Pure.
// https://docs.nats.io/nats-concepts/subjects

/** One token of a subject: `.`, `*`, `>`, blanks and control characters become `_`. */
export function tokenOf(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not be there.
  const token = text.replace(/[\s.*>\u0000-\u001f\u007f]/g, '_');
  return token === '' ? '_' : token;
}

/** A token from which the text can be told again: everything else than letters, digits, `-` and `_` as `=XX`. */
export function exactToken(text: string): string {
  return Buffer.from(text)
    .toString('latin1')
    .replace(/[^A-Za-z0-9_-]/g, (c) => `=${c.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`);
}

/** Tokens without dots: `public.orders` → `public.orders`, `my table` → `my_table`. */
export const subjectOf = (text: string): string => text.split('.').map(tokenOf).join('.');

/** Does a pattern (`cdc.*.>`) take every subject that another pattern takes? */
export function covers(pattern: string, subject: string): boolean {
  const wanted = subject.split('.');
  for (const [i, token] of pattern.split('.').entries()) {
    if (token === '>') return wanted.length > i;
    const other = wanted[i];
    if (other === undefined || other === '>') return false;
    if (token !== '*' && token !== other) return false;
  }
  return pattern.split('.').length === wanted.length;
}

/** Below it the lanes' places are kept in the stream that their messages go to: no messages for others. */
export const POINTS_PREFIX = 'cdc_run.point';

export const isPoint = (subject: string): boolean => subject.startsWith(`${POINTS_PREFIX}.`);
