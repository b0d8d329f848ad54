// Owns the names of a connection's states. Never changes one: connection.ts and the handshake do.

/** States of a connection, in the order they come. */
export const AWAITS_HEADER = 0;
export const AWAITS_START_OK = 1;
export const AWAITS_TUNE_OK = 2;
export const AWAITS_OPEN = 3;
export const RUNNING = 4;
/** The broker sent connection.close and waits for close-ok. */
export const CLOSING = 5;
/** Nothing more is read or acted upon. */
export const CLOSED = 6;
