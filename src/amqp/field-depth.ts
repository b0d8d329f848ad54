// Owns how deep a table nests. Never walks deeper than it is asked to.

import type { Field, FieldTable } from './field-table.ts';

/** Whether a table, which counts as one level, holds more than so many levels of tables and arrays. */
export function isDeeper(table: FieldTable, levels: number): boolean {
  if (levels < 1) return true;
  for (const field of table.values()) if (isFieldDeeper(field, levels)) return true;
  return false;
}

function isFieldDeeper(field: Field, levels: number): boolean {
  if (field.type === 'F') return isDeeper(field.value, levels - 1);
  if (field.type !== 'A') return false;
  return levels < 2 || field.value.some((each) => isFieldDeeper(each, levels - 1));
}
