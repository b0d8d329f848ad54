// Owns seeing whether the write under way on one socket goes on. Never ends a socket over it.

import type { Socket } from 'node:net';

/** The last write that was looked at. */
export class StalledWrite {
  private readonly socket: Socket;
  private write = 0;
  private left = 0;
  private sinceMs = 0;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** How long calls of this have seen write number `write` where it is, ms. */
  seenMs(write: number, nowMs: number): number {
    const left = leftToWrite(this.socket);
    if (this.write !== write || this.left !== left) {
      this.write = write;
      this.left = left;
      this.sinceMs = nowMs;
    }
    return nowMs - this.sinceMs;
  }
}

/** What Node.js keeps in `_handle`; that of TLS has the one that writes as its parent. */
interface Handle {
  readonly writeQueueSize?: number;
  readonly _parent?: Handle;
}

/**
 * What the system has not taken of the write under way, so that a peer that takes a large one slowly
 * is not thought deaf. Node.js has no other way to see it, and promises none.
 */
function leftToWrite(socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: Handle | null };
  return (handle?._parent ?? handle)?.writeQueueSize ?? 0;
}
