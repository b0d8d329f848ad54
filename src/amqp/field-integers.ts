// Owns which fields are integers, and their value. Never throws: a field of any type may be asked about.

import type { Field } from './field-table.ts';

/** The value of a field of any integer type; null: it is there with another type, or not at all. */
export function integerOf(field: Field | undefined): number | bigint | null {
  switch (field?.type) {
    case 'b':
    case 'B':
    case 's':
    case 'u':
    case 'I':
    case 'i':
    case 'l':
      return field.value;
    default:
      return null;
  }
}
