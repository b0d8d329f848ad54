// Owns the order in which a broker reads back what its store holds, and what a new one gets. Never stops
// over one row: what cannot be read is set aside, and nothing that it may need is let go of.

import { TABLE_SET_ASIDE } from '../../store/tables.ts';
import type { VhostSnapshot } from '../access/vhost-traits.ts';
import type { Broker } from '../broker.ts';
import type { FirstStart } from '../first-start.ts';
import { Vhost } from '../vhost.ts';
import { recoverVhost } from './recover-vhost.ts';

/** See Broker.recover. */
export function recoverBroker(broker: Broker, first: FirstStart): void {
  const { access, definitionRows, setAside, setAsideRows, sweeps, log } = broker;
  broker.globalParameters.recover();
  access.recover();
  for (const id of sweeps.recover()) broker.queueIds.reserve(id);
  if (sweeps.any) broker.awaitBatch();
  const stored = access.rows.vhosts();
  // What cannot be read was written by somebody: such a store is not new.
  const fresh = stored.length === 0 && access.users().length === 0 && setAsideRows.count === 0;
  for (const { going, ...traits } of stored) {
    if (going === true) recoverGoing(broker, traits);
    else recoverVhost(broker, broker.addVhost(traits.name, traits));
  }
  const names = fresh ? [first.vhost, ...definitionRows.vhosts()] : [];
  for (const name of names) {
    if (!broker.vhosts.has(name)) recoverVhost(broker, broker.putVhost(name));
  }
  setAside.damagedRow = (key, error) => setAsideRows.add(TABLE_SET_ASIDE, key, error);
  setAside.recover();
  for (const { kind, name } of [...setAsideRows.list()]) {
    if (kind !== 'vhost') continue;
    for (const { value } of definitionRows.queues(name)) broker.queueIds.reserve(value.id);
  }
  broker.reserveStrayQueueIds();
  if (setAsideRows.keepsRecords) log.keepAll();
  log.dropUnreferenced();
  if (!fresh || first.user === null) return;
  const { name, password, tags, permission, logCost } = first.user;
  access.putUserNow({ name, tags }, password, logCost);
  access.setPermission({ ...permission, user: name, vhost: first.vhost });
}

/** What is left of a vhost is read back, so that its deletion can let go of it. */
function recoverGoing(broker: Broker, traits: VhostSnapshot): void {
  const vhost = new Vhost(traits.name, broker);
  vhost.setTraits(traits);
  recoverVhost(broker, vhost);
  broker.vhostDeletions.goOn(vhost);
}
