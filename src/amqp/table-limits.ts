// Owns how large field tables may be: on the wire, and where they have been let in.

import { VALUE_DEPTH_MAX } from '../util/limits.ts';

/** How large a table may be: the settings that say so, under their names. */
export interface TableLimits {
  /** Nested tables and arrays, the outermost table included. */
  readonly tableDepthMax: number;
  /** Entries and array elements in one outermost table, all levels together. */
  readonly tableEntriesMax: number;
}

/** The deepest that a setting may let peers nest: it bounds the recursion. */
export const FIELD_DEPTH_MAX = VALUE_DEPTH_MAX;

/** What peers may send unless settings say otherwise. */
export const WIRE_LIMITS: TableLimits = { tableDepthMax: 32, tableEntriesMax: 4096 };

/**
 * For what has been let in, under whichever settings, and what the broker added since: each death has
 * entries, and a trace has the headers of a message two levels below its own.
 */
export const STORED_LIMITS: TableLimits = {
  tableDepthMax: FIELD_DEPTH_MAX + 6,
  tableEntriesMax: Infinity,
};
