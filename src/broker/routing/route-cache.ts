// Owns finding a route by the bytes of an address as they stand on the wire, without making strings
// of them. Never computes a route: router.ts does.

import { RECORD_HEAD_BYTES, recordExchange } from '../../message/record.ts';
import type { Grants } from '../access/grants.ts';
import type { Route } from './route.ts';

/** Routes remembered; two addresses that fall into one place displace each other. */
const PLACES = 1024;

/** An address: exchange and routing key as short strings, one behind the other. */
export interface Address {
  readonly bytes: Buffer;
  readonly route: Route;
  /** The grants with which it was checked that a user may publish there; it holds for no other grants. */
  readonly grants: Grants | null;
}

/** A table of the routes used lately, by a hash of their address. One a vhost. */
export class RouteCache {
  private readonly places = new Array<Address | null>(PLACES).fill(null);

  /** The address at `start` with its route, if it is remembered of these grants and still true. */
  find(
    bytes: Buffer,
    start: number,
    length: number,
    topology: number,
    grants: Grants | null,
  ): Address | null {
    const known = this.places[placeOf(bytes, start, length, grants)] as Address | null;
    if (known === null || known.grants !== grants || known.route.topology !== topology) return null;
    return sameBytes(known.bytes, bytes, start, length) ? known : null;
  }

  /** Remembers a route that holds for every message with this address, and the grants it was checked for. */
  remember(
    bytes: Buffer,
    start: number,
    length: number,
    route: Route,
    grants: Grants | null,
  ): Address {
    const address = { bytes: Buffer.from(bytes.subarray(start, start + length)), route, grants };
    this.places[placeOf(bytes, start, length, grants)] = address;
    return address;
  }
}

/** Whether an address is the one at `start` of some bytes. */
export function sameBytes(address: Buffer, bytes: Buffer, start: number, length: number): boolean {
  if (address.length !== length) return false;
  for (let i = 0; i < length; i++) if (address[i] !== bytes[start + i]) return false;
  return true;
}

/** The name of the exchange of a record: that of the last address, if the bytes are the same. */
export function exchangeOf(last: Address | null, bytes: Buffer, start: number): string {
  if (last === null) return recordExchange(bytes, start);
  const address = start + RECORD_HEAD_BYTES;
  const length = bytes[address] as number;
  for (let i = 0; i <= length; i++) {
    if (last.bytes[i] !== bytes[address + i]) return recordExchange(bytes, start);
  }
  return last.route.exchange.name;
}

function placeOf(bytes: Buffer, start: number, length: number, grants: Grants | null): number {
  let hash = grants === null ? length : length + grants.seed;
  for (let i = 0; i < length; i++) hash = (Math.imul(hash, 31) + (bytes[start + i] as number)) | 0;
  return (hash ^ (hash >>> 10) ^ (hash >>> 20)) & (PLACES - 1);
}
