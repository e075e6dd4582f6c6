// Transformers that change tables, made and run as in a pipeline, for their tests.

import {
  CdcError,
  type ChangeEvent,
  type Column,
  type ColumnType,
  type Logger,
  type Static,
  type Transformer,
  type TransformerDescriptor,
  type TSchema,
} from 'cdc-run/sdk';
import { context, withDefaults } from './events.ts';

export const configOf = <S extends TSchema>(descriptor: TransformerDescriptor<S>, config: object): Static<S> =>
  withDefaults(descriptor.config as unknown as { readonly properties: object }, config);

export const make = <S extends TSchema>(
  descriptor: TransformerDescriptor<S>,
  config: object,
  logger: Logger = context.logger,
): Transformer => descriptor.create(configOf(descriptor, config), { ...context, logger }) as Transformer;

export const transform = <S extends TSchema>(
  descriptor: TransformerDescriptor<S>,
  config: object,
  ...events: ChangeEvent[]
): ChangeEvent[] => make(descriptor, config).transform(events) as ChangeEvent[];

export function one<S extends TSchema>(descriptor: TransformerDescriptor<S>, config: object, event: ChangeEvent): ChangeEvent {
  const [out, ...more] = transform(descriptor, config, event);
  if (out === undefined || more.length > 0) throw new Error(`${more.length} events too many, or none`);
  return out;
}

export const problems = <S extends TSchema>(descriptor: TransformerDescriptor<S>, config: object): string[] =>
  (descriptor.validate?.(configOf(descriptor, config)) ?? []).map((p) => `${p.path.join('.')}: ${p.message}`);

/** The error that it throws. */
export function failure(run: () => unknown): CdcError {
  try {
    run();
  } catch (error) {
    if (error instanceof CdcError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

export const column = (name: string, type: ColumnType, more: Partial<Column> = {}): Column => ({
  name,
  type,
  nativeType: type,
  nullable: true,
  ...more,
});
