// Owns dead-lettering: the address of a dead message, which queues it may go to, and the move.
// Never decides that a message is dead: the code that rejects, expires or drops it does.

import { PROPERTY_FLAGS_OFFSET, replaceHeaders } from '../../amqp/property-walk.ts';
import { readMessage } from '../../message/read-message.ts';
import { NO_EXPIRY } from '../../message/record.ts';
import type { BrokerCore } from '../core/core.ts';
import { KEEP_ALL, KEEP_NONE, keepOf, WIDE_ROUTE } from '../core/enqueue.ts';
import type { Exchange } from '../exchange/exchange.ts';
import { setCount } from '../queue/got-count.ts';
import type { DeathReason, DyingQueue } from '../queue/ports.ts';
import { MessageProperties } from '../routing/message-properties.ts';
import type { RouteKeys } from '../routing/route-keys.ts';
import type { Router } from '../routing/router.ts';
import { copyKeys } from '../routing/sender-selected.ts';
import { countDeath } from '../stats/counts.ts';
import type { Steps } from '../turn/slices.ts';
import { placeCopy, placingCopy, prepareCopy } from './copy-message.ts';
import { queuesOfCycle, recordDeath } from './deaths.ts';

/** A vhost as messages that the broker publishes itself see it. */
export interface RoutedVhost {
  readonly name: string;
  readonly exchanges: ReadonlyMap<string, Exchange>;
  readonly router: Router;
}

/**
 * Publishes a message that died in `queue` to the queue's dead-letter exchange, if it has one that
 * exists. The caller then settles it in `queue` within the same turn, so that one batch holds both:
 * on disk the message is here or there, never in both and never in none. Where it goes to very many queues,
 * nothing has changed yet: the caller gets the steps to take, one batch for all, and settles it with the last. `returns`: how
 * often it came back, where it died of that, as the dead letter says then; else 0. `held`: it waits for the disk, and so
 * does the dead letter.
 */
export function deadLetter(
  core: BrokerCore,
  vhost: RoutedVhost,
  queue: DyingQueue,
  position: number,
  reason: DeathReason,
  returns: number,
  held = false,
): Steps | null {
  const { deadLetterExchange, deadLetterRoutingKey, deadLetterStrategy } = queue.rules;
  if (deadLetterExchange === null || !vhost.exchanges.has(deadLetterExchange)) {
    // As in RabbitMQ, an exchange that is not there is none.
    countDeath(queue, reason, 'disabled', false);
    return null;
  }
  const message = readMessage(core.log, position);
  const { headers, expiration, address } = message;
  const atMs = core.clock.wallMs();
  recordDeath(headers, { ...address, queue: queue.name, reason, expiration, atMs });
  if (returns > 0) setCount(headers, returns);
  if (deadLetterRoutingKey !== null) headers.delete('CC');
  const routingKey = deadLetterRoutingKey ?? address.routingKey;
  const properties = new MessageProperties();
  properties.read(message.headerPayload, PROPERTY_FLAGS_OFFSET).withHeaders(headers);
  const keys = [routingKey.toString(), ...copyKeys(headers)];
  const route = vhost.router.routeAll(deadLetterExchange, keys, properties);
  const cycle = queuesOfCycle(headers, reason);
  const targets = (route?.queues ?? []).filter((target) => !cycle.has(target.name));
  const seen = route?.keys ?? null;
  if (targets.length === 0) {
    seen?.count();
    countDeath(queue, reason, deadLetterStrategy, false);
    return null;
  }
  const payload = replaceHeaders(message.headerPayload, headers, expiration !== null);
  const copy = { exchange: deadLetterExchange, routingKey, headerPayload: payload };
  const prepared = prepareCopy(core, message, { ...copy, expiryMs: NO_EXPIRY, held });
  const keep = keepOf(targets);
  const stored = keep === KEEP_ALL || (message.persistent && keep !== KEEP_NONE);
  // Up to here the message was looked at; from here on there is no way back.
  if (targets.length >= WIDE_ROUTE) {
    // So many queues do not all refuse it.
    countDeath(queue, reason, deadLetterStrategy, true);
    return placingKeyed(placingCopy(core, prepared, targets), seen, stored);
  }
  const refusals = placeCopy(core, prepared, targets);
  seen?.count();
  if (refusals < targets.length) seen?.take(stored);
  countDeath(queue, reason, deadLetterStrategy, refusals < targets.length);
  return null;
}

/** The steps of a dead letter to very many queues; its key is known with the last. */
function* placingKeyed(steps: Steps, keys: RouteKeys | null, stored: boolean): Steps {
  yield* steps;
  keys?.takeAhead(stored);
}
