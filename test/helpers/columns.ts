import type { Column } from '../../src/sdk/index.ts';

/** A column of a schema that a test makes up: nullable, unless it says otherwise. */
export const column = (name: string, type: Column['type'], more: Partial<Column> = {}): Column => ({
  name,
  type,
  nativeType: '',
  nullable: true,
  ...more,
});
