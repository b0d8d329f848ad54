// Owns deciding in which group a vhost is: the node that leads the group main places vhosts, and is told how moves went. Never
// moves anything.

import { randomBytes } from 'node:crypto';
import type { Broker } from '../../../broker/broker.ts';
import { Refusal } from '../../../broker/errors.ts';
import { AT_MAIN, type VhostPlace } from '../../../broker/vhost-place.ts';
import type { GroupAround } from './group-around.ts';

const ID_BYTES = 8;
/** A fault is kept with the vhost, read by operators, and told in the path of a request, where each character may take nine bytes. */
const FAULT_CHARS_MAX = 500;

/** A fault as it is told and kept. */
export function faultText(message: string): string {
  return message.slice(0, FAULT_CHARS_MAX);
}

/** The name of a move that has none yet. */
function newMoveId(): string {
  return randomBytes(ID_BYTES).toString('hex');
}

/** The place of a vhost. */
function placeOf(broker: Broker, vhost: string): VhostPlace {
  return broker.listed(vhost).metadata.place ?? AT_MAIN;
}

/**
 * Has a vhost move to a group, or stay where it is if it is on its way elsewhere. Throws a Refusal, and changes nothing then.
 */
export function place(around: GroupAround, vhost: string, group: string): void {
  const { broker } = around;
  const now = placeOf(broker, vhost);
  const { moving } = now;
  if (moving?.to === group) return;
  if (group === now.group) {
    if (moving !== null) broker.placeVhost(vhost, { place: { ...now, moving: null, fault: '' } });
    return;
  }
  if (moving !== null) {
    const back = `place it in '${now.group}', where it is, to call that off`;
    throw new Refusal('in-use', `vhost '${vhost}' is on its way to group '${moving.to}': ${back}`);
  }
  for (const each of [group, now.group]) {
    if (around.isLed(each)) continue;
    const way = `start one with cluster.group = ${each}`;
    throw new Refusal('invalid', `no node is known to lead the group '${each}': ${way}`);
  }
  const to = { to: group, id: newMoveId() };
  broker.placeVhost(vhost, { place: { ...now, moving: to, fault: '' } });
}

/**
 * Takes note that the contents of a vhost have arrived where they were to go, or why they have not ('': they have). Returns
 * whether that move is the one under way.
 */
export function arrived(broker: Broker, vhost: string, move: string, fault: string): boolean {
  const now = broker.vhosts.get(vhost)?.metadata.place;
  if (now?.moving == null || now.moving.id !== move) return false;
  const next: VhostPlace =
    fault === ''
      ? { group: now.moving.to, since: move, moving: null, fault }
      : { ...now, moving: null, fault: faultText(fault) };
  broker.placeVhost(vhost, { place: next });
  return true;
}
