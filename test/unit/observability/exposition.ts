// A strict reader of the Prometheus text format 0.0.4, for tests: what it takes, every scraper takes.
// https://prometheus.io/docs/instrumenting/exposition_formats/

export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}
export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly series: readonly Series[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"/;
const VALUE = /^(?:[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|[+-]?Inf|NaN)$/;

export function parseExposition(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no line feed');
  const families = new Map<string, { name: string; type: string; help: string; series: Series[] }>();
  const seen = new Set<string>();
  let current: { name: string; type: string; help: string; series: Series[] } | null = null;
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue;
    const meta = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    if (meta !== null) {
      const [, kind, name = '', rest = ''] = meta;
      if (kind === 'HELP') {
        if (families.has(name)) throw new Error(`${name} is described twice`);
        current = { name, type: '', help: rest, series: [] };
        families.set(name, current);
      } else {
        if (current?.name !== name || current.type !== '') throw new Error(`TYPE of ${name} is out of place`);
        if (!['counter', 'gauge', 'histogram', 'summary', 'untyped'].includes(rest)) throw new Error(`unknown type ${rest}`);
        current.type = rest;
      }
      continue;
    }
    if (line.startsWith('#')) throw new Error(`unexpected comment: ${line}`);
    const series = parseSeries(line);
    if (current === null || !belongs(series.name, current.name, current.type)) throw new Error(`${series.name} is outside of its family`);
    const identity = `${series.name}${JSON.stringify(Object.entries(series.labels).sort())}`;
    if (seen.has(identity)) throw new Error(`${identity} comes twice`);
    seen.add(identity);
    current.series.push(series);
  }
  return families;
}

function belongs(name: string, family: string, type: string): boolean {
  if (name === family) return true;
  return (
    (type === 'histogram' && [`${family}_bucket`, `${family}_sum`, `${family}_count`].includes(name)) ||
    (type === 'summary' && [`${family}_sum`, `${family}_count`].includes(name))
  );
}

function parseSeries(line: string): Series {
  const [name] = NAME.exec(line) ?? [];
  if (name === undefined) throw new Error(`no metric name: ${line}`);
  let rest = line.slice(name.length);
  const labels: Record<string, string> = {};
  if (rest.startsWith('{')) {
    rest = rest.slice(1);
    while (!rest.startsWith('}')) {
      const match = LABEL.exec(rest);
      if (match === null) throw new Error(`bad label: ${rest}`);
      const [whole, label = '', value = ''] = match;
      if (label in labels) throw new Error(`label ${label} comes twice`);
      labels[label] = value.replace(/\\(["\\n])/g, (_, c: string) => (c === 'n' ? '\n' : c));
      rest = rest.slice(whole.length);
      if (rest.startsWith(',')) rest = rest.slice(1);
      else if (!rest.startsWith('}')) throw new Error(`bad labels: ${line}`);
    }
    rest = rest.slice(1);
  }
  const [, value = '', timestamp] = /^ (\S+)(?: (-?\d+))?$/.exec(rest) ?? [];
  if (!VALUE.test(value)) throw new Error(`bad value: ${line}`);
  if (timestamp !== undefined && !Number.isSafeInteger(Number(timestamp))) throw new Error(`bad time: ${line}`);
  return { name, labels, value: value.endsWith('Inf') ? Number(value.replace('Inf', 'Infinity')) : Number(value) };
}
