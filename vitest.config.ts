// Unit tests need nothing; *.int, *.e2e, chaos and simulation have projects of their own (see the test:* scripts).
import { defineConfig } from 'vitest/config';

const source = { resolve: { conditions: ['source'] }, ssr: { resolve: { conditions: ['source'] } } };

/** All cores: vitest keeps one for itself, which is half of a small machine. */
const computing = { maxWorkers: '100%' };

/** With servers that all tests share: a file has them to itself. What they do soon may take a while on a busy machine. */
const waiting = { fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000, expect: { poll: { timeout: 60_000 } } };

const DATABASES = ['test/**/{mysql,postgresql}*.int.test.ts', 'test/**/{mysql,postgresql}*/**/*.int.test.ts'];

export default defineConfig({
  ...source,
  test: {
    projects: [
      {
        ...source,
        test: {
          ...computing,
          name: 'unit',
          setupFiles: ['test/helpers/seed.ts'],
          include: ['test/unit/**/*.test.ts', 'test/contract/**/*.test.ts'],
          exclude: ['**/*.int.test.ts'],
          testTimeout: 60_000,
        },
      },
      // These two share no server, and may run beside each other.
      { ...source, test: { ...waiting, name: 'int-databases', include: DATABASES } },
      {
        ...source,
        test: { ...waiting, name: 'int-brokers', include: ['test/**/*.int.test.ts'], exclude: DATABASES },
      },
      { ...source, test: { ...waiting, name: 'e2e', include: ['test/e2e/**/*.e2e.test.ts'] } },
      // It only computes, perhaps with what others leave: how long that takes says nothing.
      { ...source, test: { ...computing, name: 'simulation', include: ['test/simulation/**/*.sim.test.ts'], testTimeout: 3_600_000 } },
      { ...source, test: { ...waiting, name: 'chaos', include: ['test/chaos/**/*.chaos.test.ts'], testTimeout: 600_000 } },
    ],
  },
});
