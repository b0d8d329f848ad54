// Owns how long tests wait for what has to come. Never a measure of speed: a test that waits so long has
// failed, however busy the machine is.

/** What a condition, a frame or an answer may take. */
export const PATIENCE_MS = 60_000;

/** The limit of a test and of a hook in vitest's configuration: longer than any one wait in it. */
export const TEST_TIMEOUT_MS = 300_000;

/** How long `expect.poll` waits for what a page or a process shows a moment later, also on a busy machine. */
export const POLL_TIMEOUT_MS = 60_000;

/** The limit of a test that runs a script of many rounds, which may start a broker in each. */
export const SCRIPT_TIMEOUT_MS = 900_000;
