// Owns in which group of a cluster a vhost is, and whether it is moving to another. Never moves one.

import { isObject } from '../util/json/json.ts';
import { MAIN_GROUP, NO_GROUP } from '../util/system/main-group.ts';

/** A move that has begun. */
export interface PlannedMove {
  /** The group that takes the vhost. */
  readonly to: string;
  /** The name of this very move, which no other has. */
  readonly id: string;
}

/** Where a vhost is: decided by the group main, and the same in all groups. */
export interface VhostPlace {
  readonly group: string;
  /** The move by which it came there; '': none, it was always there. */
  readonly since: string;
  readonly moving: PlannedMove | null;
  /** Why the last move did not come about; '': it did, or there was none. */
  readonly fault: string;
}

/** The place of a vhost of which nothing is said. */
export const AT_MAIN: VhostPlace = { group: MAIN_GROUP, since: '', moving: null, fault: '' };

/** What keeps clients and tools out of a vhost in a group. */
export interface Away {
  /** The group that it is in, or comes to. */
  readonly group: string;
  /** Whether that passes by itself. */
  readonly moving: boolean;
}

/** What keeps clients out of a vhost in the group `own`; null: nothing does, since it is there, or there are no groups. */
export function awayFrom(own: string, place: VhostPlace = AT_MAIN): Away | null {
  if (own === NO_GROUP) return null;
  const { group, moving } = place;
  if (moving !== null) return { group: moving.to, moving: true };
  return group === own ? null : { group, moving: false };
}

/** The same as a clause for people, without the address. */
export function awayText(vhost: string, { group, moving }: Away): string {
  return moving
    ? `vhost '${vhost}' is on its way to group '${group}'`
    : `vhost '${vhost}' is in group '${group}' of this cluster`;
}

/**
 * Which contents a group `own` must have of a vhost: those that came by the move of this id ('': those that were always
 * there); null: none.
 */
export function contentsIn(own: string, { group, since, moving }: VhostPlace): string | null {
  if (group === own) return since;
  return moving?.to === own ? moving.id : null;
}

/** Reads a place out of a row or an answer of another node. Throws a TypeError. */
export function readPlace(value: unknown): VhostPlace {
  if (isObject(value)) {
    const { group, since, fault, moving } = value;
    const texts = [group, since, fault].every((each) => typeof each === 'string');
    if (texts && (moving === null || isMove(moving))) return value as unknown as VhostPlace;
  }
  throw new TypeError('its place is none');
}

function isMove(value: unknown): boolean {
  if (!isObject(value)) return false;
  return typeof value['to'] === 'string' && typeof value['id'] === 'string';
}
