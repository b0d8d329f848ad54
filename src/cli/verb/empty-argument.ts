// Owns the refusal of an argument that is empty where a name or a password has to be. Never checks more of it: the
// broker does.

import { UsageError } from '../exit-codes.ts';
import type { Arguments } from './verb.ts';

/** A name or a password without a letter: nothing is asked of the broker. */
export class EmptyArgumentError extends UsageError {}

/** Arguments that are names. Keys, patterns and the name of the default exchange may be empty. */
const NAMES: readonly string[] = ['name', 'user', 'queue', 'vhost', 'connection', 'component'];

/** Throws an EmptyArgumentError for the first name that is empty. `names`: how the arguments are called, in order. */
export function refuseEmptyNames(
  names: readonly { name(): string }[],
  given: readonly Arguments[],
): void {
  const at = names.findIndex((each, index) => NAMES.includes(each.name()) && given[index] === '');
  if (at === -1) return;
  const place = names.length === 1 ? '' : ` (argument ${at + 1})`;
  throw new EmptyArgumentError(`<${names[at]?.name()}> must not be empty${place}: give a name`);
}
