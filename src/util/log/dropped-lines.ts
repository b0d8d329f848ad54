// Owns the count of log lines of this process that could not be written. Never writes one.

/** Standard output is the process' own, and so is this count: it goes up only. */
export const droppedLines = { count: 0 };
