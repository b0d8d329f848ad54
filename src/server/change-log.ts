// Owns which changes of the broker are logged, and how severely. Never logs anything about a message.

import type { Logger } from 'pino';
import type { Change, Changes } from '../broker/changes.ts';

/**
 * Logs what changes from now on: at `info` what an operator sets up (users, vhosts, permissions, policies,
 * durable queues and exchanges), at `debug` bindings, what comes and goes with clients, and each single
 * thing that an import brings.
 */
export function logChanges(changes: Changes, log: Logger): void {
  changes.listener = ({ kind, act, lasting, names }: Change): void => {
    const text = `${kind} ${act}`;
    if (lasting && !changes.inBulk) log.info(names, text);
    else log.debug(names, text);
  };
}
