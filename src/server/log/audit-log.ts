// Owns which changes of the broker are logged, and how severely. Never logs anything about a message.

import type { Logger } from 'pino';
import type { BrokerEvents, Change } from '../../broker/core/events.ts';
import { type LineQuota, ORDINARY_MAX } from './line-quota.ts';

/** What ordinary clients make and delete as often as they like; all else is each time logged. */
const CLIENTS_MAKE: ReadonlySet<string> = new Set(['queue', 'exchange', 'binding']);

/**
 * Logs what changes from now on: at `info` what an operator sets up (users, vhosts, permissions, policies,
 * durable queues and exchanges), at `debug` bindings, what comes and goes with clients, and each single
 * thing that an import brings.
 */
export function logChanges(changes: BrokerEvents, log: Logger, lines: LineQuota): void {
  changes.listener = ({ kind, act, lasting, names }: Change): void => {
    const text = `${kind} ${act}`;
    const byClients = CLIENTS_MAKE.has(kind);
    if (byClients && !changes.inBulk && !lines.admits(text, ORDINARY_MAX)) return;
    if (lasting && !changes.inBulk) log.info(names, text);
    else log.debug(names, text);
  };
}
