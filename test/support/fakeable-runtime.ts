// Owns a runtime whose timers a test may put fakes in place of: each is looked up when it is called. For
// vi.mock('../../src/util/system/runtime.ts', () => import('./fakeable-runtime.ts')).

export const setImmediate: typeof globalThis.setImmediate = ((...args: [() => void]) =>
  globalThis.setImmediate(...args)) as typeof globalThis.setImmediate;
export const setTimeout: typeof globalThis.setTimeout = ((...args: [() => void]) =>
  globalThis.setTimeout(...args)) as typeof globalThis.setTimeout;
export const setInterval: typeof globalThis.setInterval = ((...args: [() => void]) =>
  globalThis.setInterval(...args)) as typeof globalThis.setInterval;
export const clearTimeout: typeof globalThis.clearTimeout = (timer) =>
  globalThis.clearTimeout(timer);
export const clearInterval: typeof globalThis.clearInterval = (timer) =>
  globalThis.clearInterval(timer);
