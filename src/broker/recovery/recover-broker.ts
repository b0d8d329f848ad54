// Owns the order in which a broker reads back what its store holds, and what a new one gets. Never stops
// over one row: what cannot be read is set aside, and nothing that it may need is let go of.

import { TABLE_ARRIVALS, TABLE_SET_ASIDE } from '../../store/tables.ts';
import { decides } from '../../util/system/main-group.ts';
import type { Access } from '../access/access.ts';
import type { VhostMetadata, VhostSnapshot } from '../access/vhost-metadata.ts';
import { ArrivalSweep, arrivalsIn } from '../core/arrivals.ts';
import type { BrokerCore } from '../core/core.ts';
import type { FirstStart } from '../first-start.ts';
import type { GlobalParameters } from '../policy/parameters.ts';
import { DelayRowSweep } from '../queue/delay/delay-sweep.ts';
import { KeyRowSweep } from '../queue/duplicates/key-sweep.ts';
import { StreamRowSweep } from '../queue/stream/entries/stream-sweep.ts';
import type { VhostDeletions } from '../vhost/deletions.ts';
import type { DefinitionRows } from '../vhost/topology-rows.ts';
import type { Vhost } from '../vhost/vhost.ts';
import { recoverVhost } from './recover-vhost.ts';

/** What is needed of the broker. */
interface RecoveringBroker {
  readonly core: BrokerCore;
  readonly access: Access;
  readonly definitionRows: DefinitionRows;
  readonly globalParameters: GlobalParameters;
  readonly vhosts: ReadonlyMap<string, Vhost>;
  readonly vhostDeletions: VhostDeletions;
  putVhost(name: string): Vhost;
  addVhost(name: string, metadata: Partial<VhostMetadata>): Vhost;
  makeVhost(name: string, metadata: Partial<VhostMetadata>): Vhost;
}

/** See Broker.recover. */
export function recoverBroker(broker: RecoveringBroker, first: FirstStart): boolean {
  const { access, definitionRows } = broker;
  const { setAside, setAsideRows, sweeps, log } = broker.core;
  broker.globalParameters.recover();
  access.recover();
  for (const id of sweeps.recover()) broker.core.queueIds.reserve(id);
  for (const gone of broker.core.delayRows.recoverGone()) {
    broker.core.queueIds.reserve(gone.queueId);
    sweeps.goOn(new DelayRowSweep(gone, broker.core.delayRows));
  }
  for (const gone of broker.core.keyRows.recoverGone()) {
    broker.core.queueIds.reserve(gone.ownerId);
    sweeps.goOn(new KeyRowSweep(gone, broker.core.keyRows));
  }
  for (const id of broker.core.streamRows.gone()) {
    broker.core.queueIds.reserve(id);
    sweeps.goOn(new StreamRowSweep(id, broker.core.streamRows));
  }
  const arrivals = arrivalsIn(broker.core.store, (key, error) =>
    setAsideRows.add(TABLE_ARRIVALS, key, error),
  );
  for (const { end } of arrivals) broker.core.queueIds.reserve(end - 1);
  const stored = access.rows.vhosts();
  // A row that cannot be read was written at some time: such a store is not new.
  const nothing = stored.length === 0 && access.users().length === 0 && setAsideRows.count === 0;
  // A group that follows another one is told which vhosts and users there are.
  const fresh = nothing && decides(broker.core.group);
  for (const { going, ...snapshot } of stored) {
    if (going === true) recoverGoing(broker, snapshot);
    else recoverVhost(broker, broker.addVhost(snapshot.name, snapshot));
  }
  const names = fresh ? [first.vhost, ...definitionRows.vhosts()] : [];
  for (const name of names) {
    if (!broker.vhosts.has(name)) recoverVhost(broker, broker.putVhost(name));
  }
  for (const ids of arrivals) {
    const known = idsOf(broker);
    sweeps.goOn(new ArrivalSweep(broker.core.store, ids, (id) => known.has(id)));
  }
  if (sweeps.any) broker.core.awaitBatch();
  setAside.damagedRow = (key, error) => setAsideRows.add(TABLE_SET_ASIDE, key, error);
  setAside.recover();
  for (const { kind, name } of [...setAsideRows.list()]) {
    if (kind !== 'vhost') continue;
    for (const { value } of definitionRows.queues(name)) broker.core.queueIds.reserve(value.id);
  }
  broker.core.reserveStrayQueueIds();
  if (setAsideRows.keepsRecords) log.keepAll();
  log.dropUnreferenced();
  if (!fresh || first.user === null) return fresh;
  const { name, password, tags, permission, logCost } = first.user;
  access.putUserNow({ name, tags }, password, logCost);
  access.setPermission({ ...permission, user: name, vhost: first.vhost });
  return fresh;
}

/** The ids of all queues and exchanges: what a note says of them is not so, if it ever does. */
function idsOf({ vhosts, vhostDeletions }: RecoveringBroker): ReadonlySet<number> {
  const ids = new Set<number>();
  for (const { queues, exchanges } of [...vhosts.values(), ...vhostDeletions.vhosts]) {
    for (const { id } of queues.values()) ids.add(id);
    for (const { keysId } of exchanges.values()) ids.add(keysId);
  }
  return ids;
}

/** What is left of a vhost is read back, so that its deletion can let go of it. */
function recoverGoing(broker: RecoveringBroker, snapshot: VhostSnapshot): void {
  const vhost = broker.makeVhost(snapshot.name, snapshot);
  recoverVhost(broker, vhost);
  broker.vhostDeletions.goOn(vhost);
}
