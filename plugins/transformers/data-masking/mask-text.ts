// Masked forms of a text. Pure.

import { createHmac } from 'node:crypto';
import type { MaskingConfig } from './config.ts';

/** Text → masked text; `null` for `redact`. Equal texts give equal results. */
export type MaskText = (text: string) => string | null;

export function maskText(config: MaskingConfig): MaskText {
  switch (config.strategy) {
    case 'redact':
      return () => null;
    case 'partial':
      return (text) => keepLast(text, config.keep_last);
    case 'hash':
      return (text) =>
        createHmac('sha256', config.key ?? '')
          .update(text)
          .digest('hex');
    case 'pattern':
      return (text) => applyPattern(config.mask_pattern, text);
  }
}

/** `4111111111111111`, 4 → `************1111`; `1234`, 4 → `**34`: of a short text at most half is left. */
export function keepLast(text: string, count: number): string {
  const chars = [...text],
    kept = Math.min(count, Math.floor(chars.length / 2));
  return '*'.repeat(chars.length - kept) + chars.slice(chars.length - kept).join('');
}

/**
 * | pattern | `123-45-6789` | `12` |
 * |---|---|---|
 * | `***-**-****` | `***-**-****` | `***-**-****` |
 * | `***-**-####` | `***-**-6789` | `***-**-****` |
 *
 * Places (`*` and `#`) are matched with the letters and digits of the text from the end. A text with fewer of them than the
 * pattern has places keeps nothing: what it would show could be all of it.
 */
export function applyPattern(pattern: string, text: string): string {
  if (!pattern.includes('#')) return pattern;
  const chars = text.match(/[\p{L}\p{N}]/gu) ?? [];
  const places = pattern.replace(/[^*#]/gu, '').length;
  let at = chars.length - places;
  return pattern.replace(/[*#]/gu, (place) => {
    const char = chars[at++];
    return place === '#' && chars.length >= places && char !== undefined ? char : '*';
  });
}
