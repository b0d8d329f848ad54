// The conformance suite: AMQP clients against the broker at AMQP_URL, or against Leveret itself.
import { defineConfig } from 'vitest/config';
import { TEST_TIMEOUT_MS } from './test/support/patience.ts';
import { CONFORMANCE } from './test/support/projects.ts';

export default defineConfig({
  test: {
    name: 'conformance',
    ...CONFORMANCE,
    globalSetup: ['test/conformance/global-setup.ts'],
    testTimeout: TEST_TIMEOUT_MS,
    hookTimeout: TEST_TIMEOUT_MS,
    maxWorkers: 2,
    sequence: { groupOrder: 2 },
    isolate: false,
  },
});
