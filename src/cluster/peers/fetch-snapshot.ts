// Owns taking in a snapshot that a peer sends: its length, its sum, and that it is durable. Never asks for one.

import { createHash } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';
import { freeBytesAt } from '../../store/disk/free-bytes.ts';
import { syncFolder } from '../../store/disk/sync-folder.ts';
import { PreciseTimer } from '../../util/timers.ts';
import { readFacts, type SnapshotFacts } from '../snapshots/snapshot-facts.ts';
import { SNAPSHOT_HEADER } from './paths.ts';

/** A peer has to send so much at least in the time that it may stall: a trickle is a stall as well. */
const PROGRESS_BYTES = 64 * 1024;

/**
 * Writes what a peer sends into a folder that is made anew, as `data.mdb`. Rejects with an Error that says what is wrong with
 * it, or with the system's; the folder is gone then.
 */
export async function receiveSnapshot(
  response: IncomingMessage,
  folder: string,
  stallMs: number,
): Promise<SnapshotFacts> {
  const facts = factsOf(response);
  try {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const free = freeBytesAt(folder);
    if (free >= 0 && free < facts.bytes) {
      throw new Error(`its snapshot has ${facts.bytes} bytes, and the disk has ${free} free`);
    }
    await receiveFile(response, join(folder, 'data.mdb'), facts, stallMs);
    for (const each of [folder, dirname(folder)]) await syncFolder(each);
    return facts;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

function factsOf({ headers }: IncomingMessage): SnapshotFacts {
  const text = headers[SNAPSHOT_HEADER];
  const facts = typeof text === 'string' ? readFacts(text) : null;
  if (facts === null || headers['content-length'] !== String(facts.bytes)) {
    throw new Error('it does not say what its snapshot is');
  }
  return facts;
}

async function receiveFile(
  response: IncomingMessage,
  path: string,
  { bytes, sha256 }: SnapshotFacts,
  stallMs: number,
): Promise<void> {
  const hash = createHash('sha256');
  const stalled = new PreciseTimer(() => response.destroy(new Error('it does not go on')));
  const file = await open(path, 'wx', 0o600);
  try {
    let received = 0;
    let mark = 0;
    stalled.set(stallMs);
    for await (const piece of response as AsyncIterable<Buffer>) {
      received += piece.length;
      hash.update(piece);
      await file.writeFile(piece);
      if (received - mark < PROGRESS_BYTES) continue;
      mark = received;
      stalled.set(stallMs);
    }
    if (received !== bytes) {
      throw new Error(`its snapshot is cut short, to ${received} of ${bytes} bytes`);
    }
    if (hash.digest('hex') !== sha256) throw new Error('its snapshot is not what was written');
    await file.sync();
  } finally {
    stalled.clear();
    await file.close();
  }
}
