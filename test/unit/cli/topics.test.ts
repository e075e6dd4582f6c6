// Topics and moments as they are written on the command line.

import { describe, expect, it } from 'vitest';
import { findTopic, parseFrom } from '../../../src/cli/topics.ts';
import type { LogConfig, PipelineConfig } from '../../../src/engine/pipeline-config.ts';
import { isTable } from '../../../src/engine/table-names.ts';
import { fakeConfig } from '../observability/fake-status.ts';

const disk: LogConfig = {
  type: 'disk',
  path: '.cdc/log/orders',
  maxEvents: 1,
  maxBytes: 1,
  maxAgeMs: null,
  whenFull: 'detach',
  durability: 'fsync',
  compression: 'none',
};
const pipelines: PipelineConfig[] = [
  fakeConfig({ name: 'memory' }),
  fakeConfig({ name: 'orders', log: disk }),
  fakeConfig({ name: 'users', topicPrefix: 'cdc.myapp', log: disk }),
];

describe('findTopic', () => {
  it.each([
    ['orders', 'orders', null],
    ['orders.items', 'orders', 'items'],
    ['orders.public.items', 'orders', 'public.items'],
    ['cdc.myapp.users', 'users', 'users'],
    ['users.users', 'users', 'users'],
  ])('reads %s', (topic, pipeline, table) => {
    const found = findTopic(topic, pipelines);
    expect([found.pipeline.name, found.table]).toEqual([pipeline, table]);
  });

  it.each([
    ['order', /Topics begin with one of: orders, cdc\.myapp/],
    ['memory', /log: \{type: disk\}/],
  ])('says what is there instead of %s', (topic, fix) => {
    expect(() => findTopic(topic, pipelines)).toThrow(
      expect.objectContaining({ code: 'USAGE_INVALID', fix: expect.stringMatching(fix) as string }) as Error,
    );
  });
});

it.each([
  ['items', true],
  ['public.items', true],
  ['other.items', false],
  ['item', false],
])('table public.items is %s: %s', (name, expected) => {
  expect(isTable({ database: null, schema: 'public', table: 'items' }, name)).toBe(expected);
});

describe('parseFrom', () => {
  const now = Date.UTC(2026, 0, 2);
  it.each([
    ['1200', { seq: 1200 }],
    ['90m', { timeMs: now - 5_400_000 }],
    ['2026-01-01', { timeMs: Date.UTC(2026, 0, 1) }],
    ['2026-01-01T02:00:00+01:00', { timeMs: Date.UTC(2026, 0, 1, 1) }],
  ])('reads %s', (text, expected) => {
    expect(parseFrom('--from', text, now)).toEqual(expected);
  });
  it.each(['yesterday', '2026-01-01 10:00', '2026-01-01T10:00:00', '', '-5'])('refuses %j', (text) => {
    expect(() => parseFrom('--from', text, now)).toThrow(/neither a time nor a record/);
  });
});
