// What `npm test` runs: the tests of the code and of the process, and the conformance suite
// against Leveret. The conformance suite alone, against any broker: npm run conformance.
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { LeftOut } from './test/support/left-out.ts';
import { TEST_TIMEOUT_MS } from './test/support/patience.ts';
import { WITHOUT_TOOLS } from './test/support/without-tools.ts';

export default defineConfig({
  test: {
    reporters: ['default', new LeftOut()],
    projects: [
      {
        test: {
          name: 'leveret',
          include: ['test/**/*.test.ts'],
          exclude: ['test/conformance/**'],
          globalSetup: ['test/global-setup.ts'],
          // Brokers that tests start beside each other open no ports of tools.
          env: WITHOUT_TOOLS,
          testTimeout: TEST_TIMEOUT_MS,
          hookTimeout: TEST_TIMEOUT_MS,
          // Many tests wait for a process: with one worker, which is what two cores get, one of them idles.
          maxWorkers: Math.max(2, availableParallelism() - 1),
          sequence: { groupOrder: 0 },
        },
      },
      './vitest.conformance.config.ts',
    ],
  },
});
