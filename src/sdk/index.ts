// The public contract, exported as `cdc-run/sdk`. Built-in adapters and plugins use nothing else.

export * from './being-read.ts';
export * from './change-event.ts';
export * from './config-schema.ts';
export * from './define.ts';
export * from './destination.ts';
export * from './error-codes.ts';
export * from './errors.ts';
export { JsonText } from './json-text.ts';
export * from './logger.ts';
export * from './plugin.ts';
export * from './ports.ts';
export * from './position.ts';
export * from './record-context.ts';
export * from './schema-evolution.ts';
export * from './schema-preview.ts';
export * from './snapshot-request.ts';
export * from './source.ts';
export * from './source-plan.ts';
export * from './table-schema.ts';
export * from './text-image.ts';
export * from './value.ts';
