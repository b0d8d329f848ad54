// Owns the names of the states of connections and channels. Never changes one: connection.ts, its
// closing, the handshake and the channel table do.

/** States of a connection, in the order they come. */
export const AWAITS_HEADER = 0;
export const AWAITS_START_OK = 1;
export const AWAITS_TUNE_OK = 2;
export const AWAITS_OPEN = 3;
export const RUNNING = 4;
/** The broker sent connection.close and waits for close-ok. */
export const CLOSING = 5;
/** The peer sent connection.close and has its answer: it is to close the socket. */
export const ANSWERED = 6;
/** The broker has ended its side of the socket: nothing more is acted upon. */
export const CLOSED = 7;

/** A channel is open, or waits for the peer's close-ok after an error, or is no more. */
export const CHANNEL_OPEN_STATE = 1;
export const CHANNEL_CLOSING = 2;
export const CHANNEL_CLOSED = 3;
