// Whatever the text, the loader answers with pipelines or problems, and never with an exception.

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIssue, parsePipelineText } from '../../../src/config/load.ts';

const FOLDER = resolve(import.meta.dirname, '../../fixtures/config/seed-001');
// Blocks of planned types only: a module that is not there is another matter.
const texts = readdirSync(FOLDER)
  .filter((name) => /^(0[1-5]|09|1[01458])/.test(name))
  .map((name) => `destination: {type: redis}\n${readFileSync(join(FOLDER, name), 'utf8')}`);
const pieces = fc.constantFrom(
  '{',
  '}',
  '[',
  ']',
  ': ',
  '- ',
  '\n',
  '  ',
  '\t',
  '"',
  "'",
  '#',
  '&a ',
  '*a',
  '!x ',
  '---\n',
  '${A}',
  '${',
  '|\n',
  '? ',
  '<<: *a',
  '\u0000',
  '\uD800',
  'null',
  '1e999',
  '__proto__: 1',
);

const edits = fc.record({
  text: fc.constantFrom(...texts),
  at: fc.nat(),
  drop: fc.nat(12),
  put: fc.oneof(pieces, fc.string({ maxLength: 5 })),
});

describe('the loader', () => {
  it('survives every edit of a good file', async () => {
    await fc.assert(
      fc.asyncProperty(edits, async ({ text, at, drop, put }) => {
        const place = at % text.length;
        const edited = text.slice(0, place) + put + text.slice(place + drop);
        const { pipelines, problems } = await parsePipelineText(edited, { file: 'p.yaml', baseDir: '/nowhere', env: { A: 'value' } });
        expect(pipelines.length + problems.length).toBeGreaterThan(0);
        for (const issue of problems) {
          expect(formatIssue(issue)).toMatch(/^p\.yaml:\d+:\d+ [A-Z_]+ \S/);
          expect(issue.line).toBeLessThanOrEqual(edited.split(/\r\n|\n|\r/).length);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('survives any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(pieces, fc.string({ maxLength: 8 })), { maxLength: 30 }), async (parts) => {
        const { pipelines, problems } = await parsePipelineText(parts.join(''), { file: 'p.yaml', baseDir: '/nowhere', env: {} });
        expect(pipelines.length + problems.length).toBeGreaterThan(0);
      }),
      { numRuns: 400 },
    );
  });
});
