// What `npm test` runs: the tests of the code and of the process, and the conformance suite
// against Leveret. The conformance suite alone, against any broker: npm run conformance.
import { defineConfig } from 'vitest/config';
import { WITHOUT_TOOLS } from './test/support/without-tools.ts';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'leveret',
          include: ['test/**/*.test.ts'],
          exclude: ['test/conformance/**'],
          globalSetup: ['test/global-setup.ts'],
          // Brokers that tests start beside each other open no ports of tools.
          env: WITHOUT_TOOLS,
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      './vitest.conformance.config.ts',
    ],
  },
});
