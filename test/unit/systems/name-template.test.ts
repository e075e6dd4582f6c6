// Names at brokers, from templates and events.

import { describe, expect, it } from 'vitest';
import { Events, item } from '../../../src/sdk/testing/index.ts';
import { NameTemplate, templateProblems } from '../../../src/systems/name-template.ts';

const eventOf = (id: { database: string | null; schema: string | null; table: string }) => {
  const e = new Events();
  return new Events({ ...e.table, id }).create(item(1, 'a'));
};

describe('a template of names', () => {
  it.each([
    ['cdc.{schema}.{table}', { database: null, schema: 'public', table: 'orders' }, 'cdc.public.orders'],
    ['cdc.{schema}.{table}', { database: null, schema: null, table: 'orders' }, 'cdc.orders'],
    ['{database}.{schema}.{table}', { database: null, schema: null, table: 'orders' }, 'orders'],
    ['{table}.{database}', { database: null, schema: null, table: 'orders' }, 'orders'],
    ['{topic}', { database: null, schema: null, table: 'orders' }, 'the.topic'],
    ['fixed', { database: null, schema: null, table: 'orders' }, 'fixed'],
    ['{table}', { database: null, schema: null, table: '$&{schema}' }, '$&{schema}'],
  ])('%s, %o → %s', (template, id, name) => {
    expect(new NameTemplate(template, '.').of(eventOf(id), 'the.topic')).toBe(name);
  });

  it('cleans values and not itself, and knows whether it is constant', () => {
    const template = new NameTemplate('a/{table}', '/', (value) => value.replaceAll('/', '_'));
    expect(template.of(eventOf({ database: null, schema: null, table: 'x/y' }), 't')).toBe('a/x_y');
    expect(template.constant).toBeNull();
    expect(new NameTemplate('a', '/').constant).toBe('a');
  });

  it('names what it does not know', () => {
    expect(templateProblems('topic', '{schema}.{nothing}')).toHaveLength(1);
    expect(templateProblems('topic', 'a{')).toHaveLength(1);
    expect(templateProblems('topic', '{schema}.{table}')).toEqual([]);
  });
});
