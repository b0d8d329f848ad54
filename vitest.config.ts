// What `npm test` runs: the tests of the code and of the process, and the conformance suite
// against Leveret. The conformance suite alone, against any broker: npm run conformance.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'leveret',
          include: ['test/**/*.test.ts'],
          exclude: ['test/conformance/**'],
          globalSetup: ['test/global-setup.ts'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      './vitest.conformance.config.ts',
    ],
  },
});
