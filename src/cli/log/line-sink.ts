// Owns the lines of the log between the broker and an open file: some wait, those too many are dropped
// and counted. Never throws, and never waits for the file but at the end, with a deadline.

import { systemClock } from '../../util/clock.ts';
import { droppedLines } from '../../util/log/dropped-lines.ts';
import type { Descriptor } from './descriptor.ts';

/** So many bytes of lines may wait. */
export const WAITING_BYTES_MAX = 1024 * 1024;
/** So many are offered at a time. */
const OFFER_BYTES = 64 * 1024;
/** When a reader that had no room is asked again, and a file that failed. */
const FULL_AGAIN_MS = 25;
const FAILED_AGAIN_MS = 500;
/** How often a reader is asked while the process ends. */
const END_AGAIN_MS = 5;
/** A write that a thread has begun is given so long before the rest follows. */
const THREAD_MS = 20;

/** Where pino writes to. */
export class LineSink {
  /** Called when lines can be written again, with how many were not, and the last error's code or ''. */
  onDropped: (count: number, code: string) => void = () => {};
  private readonly descriptor: Descriptor;
  /** Those that wait; the first `offset` bytes of the first are written. */
  private readonly lines: Buffer[] = [];
  private offset = 0;
  private waitingBytes = 0;
  private dropped = 0;
  private code = '';
  private underWay = false;
  private offeredBytes = 0;
  private ended = false;
  private timer: NodeJS.Timeout | null = null;

  constructor(descriptor: Descriptor) {
    this.descriptor = descriptor;
  }

  /** Whether nothing waits. */
  get empty(): boolean {
    return this.lines.length === 0 && this.dropped === 0;
  }

  /** Takes a line. Never throws and never waits. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.waitingBytes + bytes.length > WAITING_BYTES_MAX) {
      this.dropped += 1;
      droppedLines.count += 1;
      return;
    }
    this.lines.push(bytes);
    this.waitingBytes += bytes.length;
    if (this.timer === null) this.pump();
  }

  /**
   * Writes what waits while the process ends, for `deadlineMs` at most. Returns whether all was written.
   */
  end(deadlineMs: number): boolean {
    this.ended = true;
    if (this.timer !== null) clearTimeout(this.timer);
    if (this.underWay) this.letThreadEnd();
    const untilMs = systemClock.monotonicMs() + deadlineMs;
    while (this.lines.length > 0) {
      let count: number;
      try {
        count = this.descriptor.offerNow(this.nextBytes());
      } catch {
        return false;
      }
      this.consume(count);
      if (count > 0) continue;
      if (systemClock.monotonicMs() >= untilMs) return false;
      sleep(END_AGAIN_MS);
    }
    return this.dropped === 0;
  }

  /** Offers lines until the file takes no more. */
  private pump(): void {
    while (this.lines.length > 0 && !this.underWay && this.timer === null && !this.ended) {
      this.underWay = true;
      const bytes = this.nextBytes();
      this.offeredBytes = bytes.length;
      this.descriptor.offer(bytes, (error, count) => this.taken(error, count));
    }
    this.tellDropped();
  }

  private taken(error: Error | null, count: number): void {
    if (this.ended) return;
    this.underWay = false;
    if (error !== null) {
      this.code = (error as NodeJS.ErrnoException).code ?? error.name;
      this.later(FAILED_AGAIN_MS);
      return;
    }
    this.consume(count);
    if (count === 0) this.later(FULL_AGAIN_MS);
    // One that was offered to a thread comes back here outside of `pump`.
    else this.pump();
  }

  private later(delayMs: number): void {
    this.timer = setTimeout(() => {
      this.timer = null;
      this.pump();
    }, delayMs);
    this.timer.unref();
  }

  /** Says how many were dropped, once there is room again. */
  private tellDropped(): void {
    if (this.dropped === 0 || this.underWay || this.timer !== null || this.ended) return;
    if (this.waitingBytes > WAITING_BYTES_MAX / 2) return;
    const { dropped, code } = this;
    this.dropped = 0;
    this.code = '';
    this.onDropped(dropped, code);
  }

  private nextBytes(): Buffer {
    const chosen: Buffer[] = [];
    let length = -this.offset;
    for (const line of this.lines) {
      chosen.push(line);
      length += line.length;
      if (length >= OFFER_BYTES) break;
    }
    const all = chosen.length === 1 ? (chosen[0] as Buffer) : Buffer.concat(chosen);
    return all.subarray(this.offset);
  }

  /** Forgets bytes that were taken. */
  private consume(count: number): void {
    this.waitingBytes -= count;
    let end = this.offset + count;
    let whole = 0;
    for (const line of this.lines) {
      if (line.length > end) break;
      end -= line.length;
      whole += 1;
    }
    this.lines.splice(0, whole);
    this.offset = end;
  }

  /** Waits for a write that a thread has begun, and takes it for done: its answer cannot come any more. */
  private letThreadEnd(): void {
    sleep(THREAD_MS);
    this.consume(this.offeredBytes);
  }
}

/** Holds up the whole process, which is ending. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
