// Owns the timers of the runtime as they were when this was loaded. Never wraps them: what a program puts in
// their place for its own tests is not for a broker that runs inside it.

export const { setImmediate, setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
