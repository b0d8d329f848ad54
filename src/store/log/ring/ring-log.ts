// Owns the log in one file of a fixed size that is written round and round. Never decides what goes into it, or when it is
// no longer needed.

import { close, fdatasync, write, writev } from 'node:fs';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { assert } from '../../../util/assert.ts';
import { freeBytesAt } from '../../disk/free-bytes.ts';
import { Watchdog } from '../../disk/watchdog.ts';
import { FailedCommitError, StuckCommitError } from '../../errors.ts';
import type { BatchLog } from '../batch-log.ts';
import {
  BLOCK_BYTES,
  coveredHead,
  RECORD_HEAD_BYTES,
  recordBytes,
  writeHead,
  writeRecordChecksum,
} from './format.ts';
import { RingRoom } from './room.ts';

/** A record takes this part of the file at most: beside it there is room for others until the tables have it. */
const RECORD_PART = 4;
/** Records that are no longer are put together first: one buffer costs less to write than a list of them. */
const COPIED_BYTES_MAX = 64 * 1024;

const closeFile = promisify(close);

/** An open file of the log. */
export interface RingFile {
  readonly fd: number;
  readonly folder: string;
  readonly bytes: number;
  /** Whether a write is durable once it has ended; else each is followed by a sync. */
  readonly writesThrough: boolean;
}

/** The log in a file. Made by open.ts. */
export class RingLog implements BatchLog {
  readonly hasAll = false;
  readonly bodyBytesMax: number;
  private readonly file: RingFile;
  private readonly salt: string;
  private readonly room: RingRoom;
  private readonly watchdog: Watchdog;
  private readonly copy = Buffer.alloc(recordBytes(COPIED_BYTES_MAX));
  private readonly head = Buffer.alloc(RECORD_HEAD_BYTES);
  private bytesToWrite = 0;
  private done: ((error: Error | null) => void) | null = null;

  /** `timeoutMs`: a write that has not ended then has failed. */
  constructor(file: RingFile, salt: string, timeoutMs: number) {
    this.file = file;
    this.salt = salt;
    this.room = new RingRoom(BLOCK_BYTES, file.bytes);
    this.bodyBytesMax = Math.floor(file.bytes / RECORD_PART) - RECORD_HEAD_BYTES;
    this.watchdog = new Watchdog(timeoutMs, () => this.end(new StuckCommitError(timeoutMs)));
  }

  get bytes(): number {
    return this.file.bytes;
  }

  get usedBytes(): number {
    return this.room.used;
  }

  hasRoom(bodyBytes: number): boolean {
    return this.room.find(recordBytes(bodyBytes)) >= 0;
  }

  append(
    number: number,
    parts: readonly Buffer[],
    bodyBytes: number,
    done: (error: Error | null) => void,
  ): void {
    assert(this.done === null, 'one append is under way at a time');
    const bytes = recordBytes(bodyBytes);
    const at = this.room.find(bytes);
    assert(at >= 0, 'the log has room for what is appended');
    this.room.take(number, at, bytes);
    this.bytesToWrite = bytes;
    this.done = done;
    this.watchdog.start();
    const { fd } = this.file;
    const { head } = this;
    // That before it is durable, here or in the tables, where this may be seen nowhere else.
    writeHead(head, this.salt, { bodyBytes, number, durable: number - 1 });
    let crc = crc32(coveredHead(head));
    for (const part of parts) crc = crc32(part, crc);
    writeRecordChecksum(head, crc);
    if (bytes <= this.copy.length) {
      write(fd, this.copied(parts, bytes), 0, bytes, at, this.onWritten);
      return;
    }
    const padding = this.copy.subarray(0, bytes - RECORD_HEAD_BYTES - bodyBytes).fill(0);
    writev(fd, [head, ...parts, padding], at, this.onWritten);
  }

  onFailure(): void {
    // An append says what is wrong.
  }

  letGo(upTo: number): void {
    this.room.letGo(upTo);
  }

  close(): Promise<void> {
    this.watchdog.stop();
    return closeFile(this.file.fd);
  }

  /** The head and the parts in one buffer, with zeros behind them. */
  private copied(parts: readonly Buffer[], bytes: number): Buffer {
    const { copy } = this;
    copy.set(this.head);
    let at = RECORD_HEAD_BYTES;
    for (const part of parts) {
      copy.set(part, at);
      at += part.length;
    }
    copy.fill(0, at, bytes);
    return copy;
  }

  private readonly onWritten = (error: Error | null, bytesWritten: number): void => {
    if (error !== null) return this.end(this.failed(error));
    if (bytesWritten !== this.bytesToWrite) {
      const cause = new Error(`${bytesWritten} of ${this.bytesToWrite} bytes were written`);
      return this.end(this.failed(cause));
    }
    if (this.file.writesThrough) this.end(null);
    else fdatasync(this.file.fd, this.onSynced);
  };

  private readonly onSynced = (error: Error | null): void => {
    this.end(error === null ? null : this.failed(error));
  };

  private failed(cause: Error): Error {
    return new FailedCommitError(cause, freeBytesAt(this.file.folder));
  }

  /** Ends an append, once: after a failure nothing is tried again, since the system may have forgotten what it held. */
  private end(error: Error | null): void {
    const { done } = this;
    if (done === null) return;
    this.watchdog.stop();
    if (error === null) this.done = null;
    done(error);
  }
}
