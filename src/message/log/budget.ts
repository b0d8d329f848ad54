// Owns how much of the messages stays in memory. Never counts them: resident-segments.ts does.

/** Stored segments kept in memory beside the store. */
const RESIDENT_BYTES_MAX = 48 * 1024 * 1024;
/**
 * Transient ones that stay there before the oldest leave. More, since nothing has written them before:
 * to do so in a burst that is consumed a moment later cost 15 % of the rate of 50 busy queues.
 */
const TRANSIENT_BYTES_MAX = 256 * 1024 * 1024;

/** Bytes of segments of each log that may be in memory, where each may take `bytesMax`. */
export function memoryBudget(bytesMax: number): { stored: number; transient: number } {
  return {
    stored: Math.min(RESIDENT_BYTES_MAX, bytesMax),
    transient: Math.min(TRANSIENT_BYTES_MAX, bytesMax),
  };
}
