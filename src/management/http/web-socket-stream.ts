// Owns the stream of the bytes that a WebSocket carries, ended and closed as a socket is. Never looks at them.

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { Guard } from '../../util/guard.ts';
import { setImmediate } from '../../util/system/runtime.ts';

/** After so many frames a peer is read on in the next turn: a chunk may have ten thousand, a turn many chunks. */
const FRAMES_AT_ONCE = 256;

/**
 * The stream of one WebSocket over one socket. That of the library never closes where the socket below is
 * gone before it has finished, and fails what is written behind the close frame of the peer, so that what
 * stood before that frame would be lost.
 */
export class WebSocketStream extends Duplex {
  private readonly webSocket: WebSocket;
  private readonly guard: Guard;
  /** Nothing comes any more. */
  private ended = false;
  /** What has come is to be taken before more is read. */
  private full = false;
  /** Others have their turn before more is read. */
  private resting = false;
  private frames = 0;

  constructor(webSocket: WebSocket, below: Socket, guard: Guard) {
    super();
    this.webSocket = webSocket;
    this.guard = guard;
    const cut = (): void => {
      this.destroy();
    };
    const took = (bytes: Buffer): void => {
      if (!this.ended && !this.push(bytes)) {
        this.full = true;
        webSocket.pause();
      }
      this.frameCame();
    };
    const end = (): void => {
      if (this.ended) return;
      this.ended = true;
      this.push(null);
    };
    const failed = (error: Error): void => {
      this.destroy(error);
    };
    webSocket.on('message', guard.listener('WebSocket message', took, cut));
    webSocket.once('error', guard.listener('WebSocket error', failed, cut));
    webSocket.once('close', guard.listener('end of WebSocket', end, cut));
    // The library ends the socket as soon as both close frames are there, whether the peer follows or not.
    below.once('finish', guard.listener('end of WebSocket', end, cut));
  }

  /** Counts a frame: after some of them others have their turn. */
  frameCame(): void {
    this.frames += 1;
    if (this.frames < FRAMES_AT_ONCE || this.resting) return;
    this.frames = 0;
    this.resting = true;
    this.webSocket.pause();
    const rested = (): void => {
      this.resting = false;
      if (!this.full) this.webSocket.resume();
    };
    setImmediate(this.guard.listener('rested WebSocket', rested, () => this.destroy()));
  }

  override _read(): void {
    this.full = false;
    if (!this.resting && this.webSocket.isPaused) this.webSocket.resume();
  }

  /** What the peer no longer takes is dropped. */
  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.webSocket.readyState === WebSocket.OPEN) this.webSocket.send(bytes, done);
    else done();
  }

  override _final(done: () => void): void {
    this.webSocket.close();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.webSocket.terminate();
    done(error);
  }
}
