// The conformance suite: AMQP clients against the broker at AMQP_URL, or against Leveret itself.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'conformance',
    include: ['test/conformance/**/*.test.ts'],
    globalSetup: ['test/conformance/global-setup.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
    sequence: { groupOrder: 1 },
    isolate: false,
  },
});
