// Exported as `cdc-run/sdk/testing`: contract suites for sources, destinations and transformers, and the fakes they were
// tried on. The suites register with vitest, a peer that the tests of a plugin bring along.

export * from './batches.ts';
export type { DestinationHarness, RowOp } from './destination-harness.ts';
export { describeDestination } from './destination-suite.ts';
export * from './fakes/descriptors.ts';
export { encodeFake } from './fakes/envelope.ts';
export { Faults } from './fakes/faults.ts';
export { type DestinationObserver, FakeHoldingDestination, HoldingStore } from './fakes/holding-destination.ts';
export { FakeLog, type FakeLogOptions, type LogChange, type LogObserver } from './fakes/log.ts';
export { FakeLogSource, type FakeLogSourceOptions } from './fakes/log-source.ts';
export { FakeQueue, FakeQueueSource, type QueueMessage } from './fakes/queue-source.ts';
export type { Step } from './fakes/step.ts';
export { FakeRecordsDestination, FakeRowsDestination, UntrackedStore } from './fakes/untracked-destination.ts';
export { FakeWindow, type FakeWindowOptions, WINDOWS } from './fakes/window.ts';
export { memoryStore } from './memory-store.ts';
export { Reader, type ReadFrom, type Reading, readEvents, readToEnd } from './reading.ts';
export * from './sample-tables.ts';
export type { SourceHarness } from './source-harness.ts';
export { describeSource } from './source-suite.ts';
export { describeTransformer, eventsOfEveryShape, type TransformerHarness } from './transformer-suite.ts';
