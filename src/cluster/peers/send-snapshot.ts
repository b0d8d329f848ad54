// Owns sending snapshots to peers, a few at a time. Never decides which is sent.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { PreciseTimer } from '../../util/timers.ts';
import { factsText } from '../snapshots/snapshot-facts.ts';
import type { Snapshot } from '../snapshots/snapshot-keeper.ts';
import { SNAPSHOT_HEADER } from './paths.ts';

/** Sent at a time, and all that is held of a snapshot in memory. */
const PIECE_BYTES = 256 * 1024;
/** To so many peers at a time. */
const SENDS_MAX = 4;

/** How a snapshot was sent. `damaged`: its file is not what was written. */
export type SendResult = 'sent' | 'damaged' | 'cut';

/** The snapshots under way to peers. */
export class SnapshotSender {
  private readonly stallMs: number;
  /** By the name of the peer. */
  private readonly responses = new Map<string, ServerResponse>();

  /** A peer that takes no piece within `stallMs` is cut. */
  constructor(stallMs: number) {
    this.stallMs = stallMs;
  }

  /**
   * Sends a snapshot to a peer; one that it still gets is cut: it has asked anew. A response is ended only where all that was
   * sent is what was written; else it is broken off. Rejects with the system's error where the file fails; the response is
   * broken off then, or has not begun.
   */
  async send(peer: string, snapshot: Snapshot, response: ServerResponse): Promise<SendResult> {
    this.responses.get(peer)?.destroy();
    if (this.responses.size >= SENDS_MAX && !this.responses.has(peer)) {
      response.writeHead(503).end();
      return 'cut';
    }
    this.responses.set(peer, response);
    try {
      return await this.sendFile(snapshot, response);
    } finally {
      if (this.responses.get(peer) === response) this.responses.delete(peer);
    }
  }

  private async sendFile(snapshot: Snapshot, response: ServerResponse): Promise<SendResult> {
    const file = await open(join(snapshot.folder, 'data.mdb'), 'r');
    const stalled = new PreciseTimer(() => response.destroy());
    try {
      response.writeHead(200, {
        'content-type': 'application/octet-stream',
        'content-length': snapshot.bytes,
        [SNAPSHOT_HEADER]: factsText(snapshot),
      });
      return await this.sendPieces(file, snapshot, response, stalled);
    } catch (error) {
      response.destroy();
      throw error;
    } finally {
      stalled.clear();
      await file.close();
    }
  }

  private async sendPieces(
    file: FileHandle,
    { bytes, sha256 }: Snapshot,
    response: ServerResponse,
    stalled: PreciseTimer,
  ): Promise<SendResult> {
    const hash = createHash('sha256');
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    for (let at = 0; at < bytes; ) {
      const { bytesRead } = await file.read(piece, 0, Math.min(PIECE_BYTES, bytes - at), at);
      const part = piece.subarray(0, bytesRead);
      hash.update(part);
      at += bytesRead;
      // The last piece is not sent where the whole is wrong: the peer sees that it is cut short.
      if (bytesRead === 0 || (at === bytes && hash.digest('hex') !== sha256)) {
        response.destroy();
        return 'damaged';
      }
      stalled.set(this.stallMs);
      if (!(await written(response, part))) return 'cut';
    }
    stalled.clear();
    response.end();
    return 'sent';
  }
}

/** Writes a piece, which may be used again then; false: the peer is gone. */
async function written(response: ServerResponse, piece: Buffer): Promise<boolean> {
  if (response.destroyed) return false;
  const gone = new AbortController();
  const { signal } = gone;
  const wrote = new Promise<boolean>((resolve) => {
    response.write(piece, (error) => resolve(!error));
  });
  const closed = once(response, 'close', { signal }).then(
    () => false,
    () => false,
  );
  const result = await Promise.race([wrote, closed]);
  gone.abort();
  return result && !response.destroyed;
}
