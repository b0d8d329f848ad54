// Owns finding a route by the bytes of an address as they stand on the wire, without making strings
// of them. Never computes a route: router.ts does.

import type { Route } from './route.ts';

/** Routes remembered; two addresses that fall into one place displace each other. */
const PLACES = 1024;

/** An address: exchange and routing key as short strings, one behind the other. */
export interface Address {
  readonly bytes: Buffer;
  readonly route: Route;
}

/** A table of the routes used lately, by a hash of their address. One a vhost. */
export class RouteMemo {
  private readonly places = new Array<Address | null>(PLACES).fill(null);

  /** The address at `start` with its route, if it is remembered and still true. */
  find(bytes: Buffer, start: number, length: number, topology: number): Address | null {
    const known = this.places[placeOf(bytes, start, length)] as Address | null;
    if (known === null || known.route.topology !== topology) return null;
    return sameBytes(known.bytes, bytes, start, length) ? known : null;
  }

  /** Remembers a route that holds for every message with this address. */
  remember(bytes: Buffer, start: number, length: number, route: Route): Address {
    const address = { bytes: Buffer.from(bytes.subarray(start, start + length)), route };
    this.places[placeOf(bytes, start, length)] = address;
    return address;
  }
}

/** Whether an address is the one at `start` of some bytes. */
export function sameBytes(address: Buffer, bytes: Buffer, start: number, length: number): boolean {
  if (address.length !== length) return false;
  for (let i = 0; i < length; i++) if (address[i] !== bytes[start + i]) return false;
  return true;
}

function placeOf(bytes: Buffer, start: number, length: number): number {
  let hash = length;
  for (let i = 0; i < length; i++) hash = (Math.imul(hash, 31) + (bytes[start + i] as number)) | 0;
  return (hash ^ (hash >>> 10) ^ (hash >>> 20)) & (PLACES - 1);
}
