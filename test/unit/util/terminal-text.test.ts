// Text that is safe to show on a terminal.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeControls } from '../../../src/util/terminal-text.ts';

describe('escapeControls', () => {
  it.each([
    ['plain — ünïcode 漢字 😀', 'plain — ünïcode 漢字 😀'],
    ['\u001b[2J', '\\u001b[2J'],
    ['\u009b31m', '\\u009b31m'],
    ['a\r\nb\u0000', 'a\\u000d\\u000ab\\u0000'],
    ['\u202egnp.exe', '\\u202egnp.exe'],
  ])('shows %j as %j', (text, shown) => {
    expect(escapeControls(text)).toBe(shown);
  });

  it('keeps the meaning of JSON', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
        expect(JSON.parse(escapeControls(JSON.stringify(texts)))).toEqual(texts);
      }),
    );
  });
});
