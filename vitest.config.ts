// What `npm test` runs: unit tests, tests of the whole system, and the conformance suite against
// Leveret. The conformance suite alone, against any broker: npm run conformance.
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { LeftOut } from './test/support/left-out.ts';
import { POLL_TIMEOUT_MS, TEST_TIMEOUT_MS } from './test/support/patience.ts';
import { ONCE, SYSTEM, UNIT } from './test/support/projects.ts';
import { WITHOUT_TOOLS } from './test/support/without-tools.ts';

/** Set where the same tests ran a moment ago on another version of Node.js: see ONCE. */
const AGAIN = process.env['TESTS_AGAIN'] === 'true';

// The files of a worker share its modules (isolate: false): loading the sources once more for each file would take
// longer than most of the tests in it.
export default defineConfig({
  test: {
    reporters: ['default', new LeftOut()],
    // For `npm run coverage`: what no test in this process touches. Brokers in processes of their own are not seen.
    coverage: { include: ['src/**/*.ts'], reporter: ['text-summary', 'html'] },
    projects: [
      {
        test: {
          name: 'unit',
          ...UNIT,
          setupFiles: ['test/support/sealed.ts'],
          testTimeout: TEST_TIMEOUT_MS,
          hookTimeout: TEST_TIMEOUT_MS,
          isolate: false,
          pool: 'threads',
          maxWorkers: availableParallelism(),
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'system',
          include: SYSTEM.include,
          exclude: AGAIN ? [...SYSTEM.exclude, ...ONCE] : SYSTEM.exclude,
          globalSetup: ['test/global-setup.ts'],
          setupFiles: ['test/support/clean-slate.ts'],
          // Brokers that tests start beside each other open no ports of tools.
          env: WITHOUT_TOOLS,
          testTimeout: TEST_TIMEOUT_MS,
          hookTimeout: TEST_TIMEOUT_MS,
          expect: { poll: { timeout: POLL_TIMEOUT_MS } },
          isolate: false,
          // Many tests wait for a process, a disk or a tick: with a worker for each of two cores, these idle.
          maxWorkers: Math.max(3, availableParallelism() - 1),
          sequence: { groupOrder: 1 },
        },
      },
      './vitest.conformance.config.ts',
    ],
  },
});
