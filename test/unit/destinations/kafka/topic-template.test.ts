import { describe, expect, it } from 'vitest';
import { TopicTemplate } from '../../../../src/destinations/kafka/topic-template.ts';
import { ChangeEvent, type Position } from '../../../../src/sdk/index.ts';

function event(table: string, schema: string | null = 'public'): ChangeEvent {
  const id = { database: 'shop', schema, table };
  return new ChangeEvent({
    op: 'c',
    table: { id, columns: [], key: [], version: 1 },
    source: 'db',
    partition: 'main',
    position: '1' as Position,
    sourceTsMs: 0,
  });
}

describe('TopicTemplate', () => {
  it.each([
    ['cdc.{schema}.{table}', event('orders'), 'cdc.public.orders'],
    ['cdc.{schema}.{table}', event('orders', null), 'cdc.orders'],
    ['{schema}.{table}', event('orders', null), 'orders'],
    ['{topic}', event('orders'), 'shop.public.orders'],
    [undefined, event('orders'), 'shop.public.orders'],
    ['{source}-{database}', event('orders'), 'db-shop'],
    ['t-{table}', event('Kundenaufträge 2024'), 't-Kundenauftr_ge_2024'],
    ['t-{table}', event('{schema}'), 't-_schema_'],
    ['{table}', event('x'.repeat(300)), 'x'.repeat(249)],
    ['fixed', event('orders'), 'fixed'],
  ])('fills %s', (template, change, topic) => {
    expect(new TopicTemplate(template).of(change, 'shop.public.orders')).toBe(topic);
  });

  it('looks again when the envelope names another topic', () => {
    const template = new TopicTemplate('{topic}'),
      change = event('orders');
    expect([template.of(change, 'a'), template.of(change, 'b'), template.of(change, 'b')]).toEqual(['a', 'b', 'b']);
  });

  it('knows the only topic there is', () => {
    expect([new TopicTemplate('fixed').constant, new TopicTemplate('{table}').constant, new TopicTemplate(undefined).constant]).toEqual([
      'fixed',
      null,
      null,
    ]);
  });
});
