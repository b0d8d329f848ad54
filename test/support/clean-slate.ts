// Owns what a file of tests leaves to the next one in the same worker: what it put in place of variables, globals,
// methods and timers is taken back. Never looks at what the tests did.

import { afterAll, vi } from 'vitest';

afterAll(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});
