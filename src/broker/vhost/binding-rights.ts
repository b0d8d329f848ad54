// Owns what a user must be allowed to, to bind, unbind, and declare exchanges. Never does either.

import type { FieldTable } from '../../amqp/field-table.ts';
import type { Grants } from '../access/grants.ts';
import { refuseDefaultExchange } from './declare-rules.ts';
import type { Vhost } from './vhost.ts';

/**
 * Throws ACCESS_REFUSED unless the user may write to the destination, read from the source, and
 * there with this binding key.
 */
export function checkBindingRights(
  vhost: Vhost,
  grants: Grants,
  kind: 'queue' | 'exchange',
  destination: string,
  source: string,
  bindingKey: string,
): void {
  if (kind === 'queue') {
    grants.requireQueue('write', destination);
  } else {
    grants.requireExchange('write', destination);
    refuseDefaultExchange(destination);
  }
  refuseDefaultExchange(source);
  grants.requireExchange('read', source);
  const exchange = vhost.exchanges.get(source);
  if (exchange !== undefined) grants.requireTopic('read', exchange, bindingKey);
}

/** A user that declares an exchange with an alternate exchange must be allowed to write to that one, too. */
export function checkExchangeRights(
  vhost: Vhost,
  grants: Grants,
  name: string,
  args: FieldTable,
): void {
  refuseDefaultExchange(name);
  grants.requireExchange('configure', name);
  const alternate = args.get('alternate-exchange');
  if (alternate?.type !== 'S' || vhost.exchanges.has(name)) return;
  grants.requireExchange('read', name);
  grants.requireExchange('write', alternate.value.toString());
}
