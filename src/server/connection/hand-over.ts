// Owns giving a connection to a node of another group, which has its vhost: the client's handshake is said to that node again,
// and from then on bytes go through. Never decides which node.

import type { Socket } from 'node:net';
import {
  CONNECTION_CLOSE,
  FRAME_END,
  FRAME_HEAD_BYTES,
  FRAME_METHOD,
  FRAME_OVERHEAD_BYTES,
  PROTOCOL_HEADER,
} from '../../amqp/constants.ts';
import type { Guard } from '../../util/guard.ts';
import { type Joined, joinSockets } from '../../util/proxy/join-sockets.ts';
import { type TimerWheel, WheelTimer } from '../../util/timers.ts';

/** How long the other node has for its part of the handshake, ms. */
const HANDSHAKE_MS = 10_000;
/** What it says before it knows the vhost: connection.start and connection.tune, which the client has had. */
const SAID_BEFORE = 2;
/** No frame before the end of the handshake is longer. */
const FRAME_BYTES_MAX = 128 * 1024;

/** What a client has said in its handshake, frame by frame. */
export class Handshake {
  readonly frames: Buffer[] = [];

  /** Keeps the method that lies between these places of what was read. */
  note(bytes: Buffer, start: number, end: number): void {
    const frame = Buffer.alloc(end - start + FRAME_OVERHEAD_BYTES);
    frame[0] = FRAME_METHOD;
    frame.writeUInt32BE(end - start, 3);
    bytes.copy(frame, FRAME_HEAD_BYTES, start, end);
    frame[frame.length - 1] = FRAME_END;
    this.frames.push(frame);
  }
}

/** What it needs of the server. */
interface HandOverAround {
  readonly wheel: TimerWheel;
  readonly peerGuard: Guard;
}

/**
 * Says a handshake to another node. Resolves once it has answered all but the last method: what it says then, and later, is
 * still to be read, and for the client. Rejects where it does not; the socket is cut then.
 */
export function sayAgain(
  node: Socket,
  { frames }: Handshake,
  { wheel, peerGuard }: HandOverAround,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen: Buffer = Buffer.alloc(0);
    let skipped = 0;
    const late = new WheelTimer(() => end(new Error('it takes too long')));
    wheel.schedule(late, HANDSHAKE_MS);
    const end = (error: Error | null): void => {
      wheel.cancel(late);
      node.off('data', taken);
      node.off('close', closed);
      if (error === null) return resolve();
      node.destroy();
      reject(error);
    };
    const cut = (): unknown => node.destroy();
    const hungUp = (): void => end(new Error('it hangs up'));
    const closed = peerGuard.listener('end of another node', hungUp, cut);
    const take = (bytes: Buffer): void => {
      seen = Buffer.concat([seen, bytes]);
      while (skipped < SAID_BEFORE && seen.length >= FRAME_HEAD_BYTES) {
        const size = seen.readUInt32BE(3);
        if (size > FRAME_BYTES_MAX) return end(new Error('it speaks no AMQP'));
        if (seen.length < size + FRAME_OVERHEAD_BYTES) return;
        // It refuses the client, which has to be told.
        if (size >= 4 && seen.readInt32BE(FRAME_HEAD_BYTES) === CONNECTION_CLOSE) break;
        seen = seen.subarray(size + FRAME_OVERHEAD_BYTES);
        skipped += 1;
      }
      if (seen.length === 0) return;
      node.pause();
      end(null);
      node.unshift(seen);
    };
    const taken = peerGuard.listener('handshake of another node', take, cut);
    node.on('data', taken);
    node.on('error', () => node.destroy());
    node.once('close', closed);
    for (const each of [PROTOCOL_HEADER, ...frames]) node.write(each);
  });
}

/** The sockets that were given to other nodes. */
export class HandedOver {
  private readonly sockets = new Set<Joined>();

  /** Lets the bytes of a client through to a node, beginning with `rest`, which was read of it already. */
  join(client: Joined, node: Joined, rest: Buffer): void {
    this.sockets.add(client);
    client.on('error', () => client.destroy());
    client.once('close', () => this.sockets.delete(client));
    if (rest.length > 0) node.write(rest);
    joinSockets(client, node);
  }

  /** Cuts them all: the broker stops. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}
