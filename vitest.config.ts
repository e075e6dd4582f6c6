// Unit tests need nothing; *.int, *.e2e, chaos and simulation have projects of their own (see the test:* scripts).
import { defineConfig } from 'vitest/config';

const source = { resolve: { conditions: ['source'] }, ssr: { resolve: { conditions: ['source'] } } };

export default defineConfig({
  ...source,
  test: {
    projects: [
      {
        ...source,
        test: {
          name: 'unit',
          setupFiles: ['test/helpers/seed.ts'],
          include: ['test/unit/**/*.test.ts', 'test/contract/**/*.test.ts'],
          exclude: ['**/*.int.test.ts'],
          testTimeout: 20_000,
        },
      },
      {
        ...source,
        test: { name: 'int', include: ['test/**/*.int.test.ts'], testTimeout: 60_000, hookTimeout: 120_000, fileParallelism: false },
      },
      {
        ...source,
        test: { name: 'e2e', include: ['test/e2e/**/*.e2e.test.ts'], testTimeout: 120_000, hookTimeout: 120_000, fileParallelism: false },
      },
      { ...source, test: { name: 'simulation', include: ['test/simulation/**/*.sim.test.ts'], testTimeout: 600_000 } },
      { ...source, test: { name: 'chaos', include: ['test/chaos/**/*.chaos.test.ts'], testTimeout: 600_000, fileParallelism: false } },
    ],
  },
});
