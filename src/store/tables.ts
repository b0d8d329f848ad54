// Owns the list of tables in a data folder, so that no two things share one. Never says what a row
// holds: docs/storage.md draws every record.

/** Format version and other facts about the data folder itself. */
export const TABLE_META = 1;
/** Durable exchanges, queues and bindings. */
export const TABLE_DEFINITIONS = 2;
/** Byte ranges of the persistent log's segments: the messages. */
export const TABLE_SEGMENTS = 3;
/** Pages: which messages lie in which place of which queue. */
export const TABLE_PAGES = 4;
/** For each queue, the seq below which a message may have been delivered before. */
export const TABLE_MARKS = 5;
/** Users, permissions, and what is known of vhosts. */
export const TABLE_ACCESS = 6;
/** Policies, operator policies, parameters, and schedules with their ticks. */
export const TABLE_POLICIES = 7;
/** Ranges of pages that were purged, or whose queue was deleted, while their rows are being removed. */
export const TABLE_PURGES = 8;
/** Messages that were set aside, since looking at them failed. */
export const TABLE_SET_ASIDE = 9;
/** One row, all changes of a batch that is committed in parts; gone with the last of them. */
export const TABLE_REDO = 10;
/** Messages that wait for their time, by queue: pages of them, and what of them has gone. */
export const TABLE_DELAYS = 11;
/** Keys of messages that queues and exchanges have seen, so that they can tell duplicates: pages of them. */
export const TABLE_KEYS = 12;
/** What streams keep beside their pages: spans, filters, places of groups, ids of publishers. */
export const TABLE_STREAMS = 13;
/** One row, which of the log's records the tables have: see log/position.ts. */
export const TABLE_LOG = 14;
/** Queues whose rows are on their way from another store: those that are there go, unless all come. */
export const TABLE_ARRIVALS = 15;
