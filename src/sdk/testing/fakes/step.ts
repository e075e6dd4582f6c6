// The hook that all fakes await before each effect. A simulator answers with a promise that it resolves when it likes, or
// never: then the process that made the call has died before the effect.

/** `what` is for traces: `write items`, `acknowledge main`. */
export type Step = (what: string) => Promise<void>;

/** Without a simulator every effect happens at once. */
export const atOnce: Step = () => Promise.resolve();
