// Owns telling a message that comes back as a dead letter from another one with the same key. Never decides what
// becomes of it.

import type { Field } from '../../../amqp/field-table.ts';

/** Where the history of a dead letter is. */
export const DEATHS_HEADER = 'x-death';

/** Whether the history of a message says that it was in this queue. */
export function cameBefore(deaths: Field | undefined, queue: string): boolean {
  if (deaths?.type !== 'A') return false;
  return deaths.value.some((death) => {
    const name = death.type === 'F' ? death.value.get('queue') : undefined;
    return name?.type === 'S' && String(name.value) === queue;
  });
}
