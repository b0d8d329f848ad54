// Owns which fields are integers, and their value. Never throws: a field of any type may be asked about.

import type { Field } from './field-table.ts';

/** A field of an integer type. */
export type IntegerField =
  | { readonly type: 'b' | 'B' | 's' | 'u' | 'I' | 'i'; readonly value: number }
  | { readonly type: 'l'; readonly value: number | bigint };

/** Whether a field is of an integer type. A timestamp, which is one on the wire, does not count. */
export function isIntegerField(field: Field): field is IntegerField {
  switch (field.type) {
    case 'b':
    case 'B':
    case 's':
    case 'u':
    case 'I':
    case 'i':
    case 'l':
      return true;
    default:
      return false;
  }
}

/** The value of a field of any integer type; null: it is there with another type, or not at all. */
export function integerOf(field: Field | undefined): number | bigint | null {
  return field !== undefined && isIntegerField(field) ? field.value : null;
}
