// Owns what a binding is: a destination, a binding key and arguments.
// Never decides which messages it lets through: that is the router of the exchange's type.

import type { FieldTable } from '../../amqp/field-table.ts';

/**
 * One binding of an exchange to a destination. Two bindings are the same when destination, binding
 * key and arguments are (§3.1.3); the exchange sees to it that no binding is there twice.
 */
export interface Binding<D> {
  readonly destination: D;
  readonly bindingKey: string;
  readonly arguments: FieldTable;
}
