// Owns the bits in which a queue is told of a message that comes in. Never does anything.

/** What `push` is told of a message; the priority stands from bit PUSH_PRIORITY_SHIFT on. */
export const PUSH_STORED = 1;
export const PUSH_EXPIRES = 2;
export const PUSH_PRIORITY = 4;
/** Its headers may say when it is due. */
export const PUSH_DELAYED = 8;
/**
 * It goes out once the disk has it, so that no crash undoes what was seen: its publish settles deliveries, or it is the copy
 * of a message that waited for the disk.
 */
export const PUSH_STEP = 16;
/** It was in a queue before, and is moved: it is no duplicate of itself. */
export const PUSH_CAME_BEFORE = 32;
/** With PUSH_DELAYED: the host knows by how much, while it is being pushed. See QueueHost. */
export const PUSH_DELAY_KNOWN = 64;
/** Its headers may have some that streams go by; queues do not look at it. */
export const PUSH_STREAM_HEADERS = 128;
/** Those of messages that are looked at as they come. */
export const PUSH_UNUSUAL = PUSH_EXPIRES | PUSH_DELAYED | PUSH_STEP;
export const PUSH_PRIORITY_SHIFT = 8;
