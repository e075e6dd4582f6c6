// Text that is safe to show: nothing in it can move the cursor, change colours or turn the direction of writing. Pure.

/** C0 and C1 controls, DEL, line and paragraph separators, and the marks that reorder text (bidi overrides, isolates). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** `"a\u001b[2J"` → `"a\\u001b[2J"`: control characters as JSON escapes. Text that is JSON already keeps its meaning. */
export function escapeControls(text: string): string {
  return text.replace(UNSAFE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
