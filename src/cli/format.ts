// Numbers and times as people read them. Pure.

/** `1234567 → "1,234,567"` */
export function formatCount(n: number): string {
  return Math.round(n)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 event`, `2 events`, `1,240 rows` */
export function plural(n: number, noun: string): string {
  return `${formatCount(n)} ${noun}${n === 1 ? '' : 's'}`;
}

/**
 * | ms | text |
 * |---|---|
 * | 12 | `12 ms` |
 * | 1300 | `1.3 s` |
 * | 75000 | `1 min 15 s` |
 * | 7380000 | `2 h 3 min` |
 * | 183600000 | `2 d 3 h` |
 */
export function formatDuration(ms: number): string {
  if (ms < 100) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return pair(seconds, 60, 'min', 's');
  const minutes = Math.round(seconds / 60);
  return minutes < 1440 ? pair(minutes, 60, 'h', 'min') : pair(Math.round(minutes / 60), 24, 'd', 'h');
}

function pair(n: number, base: number, large: string, small: string): string {
  const rest = n % base;
  return `${Math.floor(n / base)} ${large}${rest === 0 ? '' : ` ${rest} ${small}`}`;
}

/** `3.2/s`, `310/s`, `12,400/s` */
/** `512 B`, `10 GiB`, `1.5 MiB` */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; unit++) bytes /= 1024;
  return `${Number(bytes.toFixed(1))} ${units[unit]}`;
}

export function formatRate(perSecond: number): string {
  return perSecond > 0 && perSecond < 10 ? `${perSecond.toFixed(1)}/s` : `${formatCount(perSecond)}/s`;
}

/** `2026-01-02 03:04:05` in UTC: status may be read far from where the pipeline runs. */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** Columns padded to their widest cell; the last one as it is. Widths are counted without colours. */
export function table(rows: readonly (readonly string[])[], indent = '  ', gap = '  '): string[] {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, visibleLength(cell));
    });
  return rows.map((row) => (indent + row.map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - visibleLength(cell))).join(gap)).trimEnd());
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: ESC begins a colour
const COLOR = /(\u001b\[\d+m)/g;

export function visibleLength(text: string): number {
  return [...text.replace(COLOR, '')].length;
}

/** Cut to `width` visible characters, with `…` in place of the rest. Colours that were opened are closed. */
export function truncate(text: string, width: number): string {
  if (visibleLength(text) <= width) return text;
  let visible = 0;
  let kept = '';
  for (const part of text.split(COLOR)) {
    if (part.startsWith('\u001b')) {
      kept += part;
      continue;
    }
    for (const c of part) {
      if (visible < width - 1) kept += c;
      visible += 1;
    }
  }
  return `${kept}…`;
}

/** Breaks text at spaces into lines of at most `width`, each after the first indented. */
export function wrap(text: string, width: number, indent: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && visibleLength(line) + 1 + visibleLength(word) > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join(`\n${indent}`);
}
