// Owns what a user must be allowed to, to bind and to unbind. Never binds.

import { refuseDefaultExchange } from '../../broker/declare-rules.ts';
import type { Connection } from '../connection.ts';

/**
 * Throws ACCESS_REFUSED unless the user may write to the destination, read from the source, and
 * there with this binding key.
 */
export function checkBindingRights(
  connection: Connection,
  kind: 'queue' | 'exchange',
  destination: string,
  source: string,
  bindingKey: string,
): void {
  const { grants, vhost } = connection;
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
