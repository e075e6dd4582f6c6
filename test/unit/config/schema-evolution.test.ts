import { describe, expect, it } from 'vitest';
import { formatIssue, parsePipelineText } from '../../../src/config/load.ts';

const ENDS = 'source: {type: generator}\ndestination: {type: "null"}\n';
const load = (section: string) =>
  parsePipelineText(`${ENDS}${section}\n`, { file: 'pipelines/orders.yaml', baseDir: '/srv/pipelines', env: {} });

describe('schema_evolution', () => {
  it.each([
    ['', { mode: 'lenient', tables: [] }],
    ['schema_evolution: {}', { mode: 'evolve', tables: [] }],
    ['schema_evolution: {mode: freeze}', { mode: 'freeze', tables: [] }],
    ['schema_evolution: {enabled: true, strict_mode: false}', { mode: 'evolve', tables: [] }],
    ['schema_evolution: {enabled: true, strict_mode: true}', { mode: 'freeze', tables: [] }],
    ['schema_evolution: {enabled: false, mode: freeze}', { mode: 'lenient', tables: [] }],
    [
      'schema_evolution: {tables: {public.orders: {mode: freeze}, "public.audit_*": dlq}}',
      {
        mode: 'evolve',
        tables: [
          { pattern: 'public.orders', mode: 'freeze' },
          { pattern: 'public.audit_*', mode: 'dlq' },
        ],
      },
    ],
  ])('reads %j', async (section, expected) => {
    const { pipelines, problems } = await load(section);
    expect(problems.map(formatIssue)).toEqual([]);
    expect(pipelines[0]?.schemaEvolution).toEqual(expected);
    expect(pipelines[0]?.unavailable).toEqual([]);
  });

  it('refuses the long and the short form together, and modes that there are not', async () => {
    const both = await load('schema_evolution: {mode: evolve, strict_mode: true}');
    expect(both.problems.map(formatIssue)).toEqual([
      'pipelines/orders.yaml:3:34 CONFIG_INVALID_VALUE schema_evolution.strict_mode is the short form of mode, which is there too\n  fix: Remove strict_mode.',
    ]);
    const wrong = await load('schema_evolution: {mode: evolving, tables: {a: {mode: frozen}}}');
    expect(wrong.problems.map((p) => p.path)).toEqual(['schema_evolution.mode', 'schema_evolution.tables.a.mode']);
  });
});
