// Text from outside (server messages, file names) for a terminal: line feeds stay, everything else that could move the cursor
// or hide something is shown as an escape.

import { escapeControls } from '../util/terminal-text.ts';

export function printable(text: string): string {
  return text.split(/\r?\n/).map(escapeControls).join('\n');
}
