// Owns writing to an open file of this process without ever waiting for its reader or its disk. Never
// buffers: what was not taken is the caller's to offer again.

import { constants, fstatSync, openSync, write, writeSync } from 'node:fs';
import { Socket } from 'node:net';

/** Told what became of bytes that were offered: how many were taken, 0 meaning later, or the error. */
export type Taken = (error: Error | null, count: number) => void;

/** An open file that takes what it can at once. */
export interface Descriptor {
  /** Offers bytes; `taken` is called once, maybe before this returns. */
  offer(bytes: Buffer, taken: Taken): void;
  /** Offers bytes while the process ends: returns how many were taken. Throws the system's error. */
  offerNow(bytes: Buffer): number;
}

/**
 * The descriptor of a file that is open as number `file`.
 *
 * Writing to a pipe, a socket or a terminal waits for its reader, and a thread that does so would keep
 * the process from ending; so these are made not to wait. A file on a disk is written by a thread, since
 * only the system knows how long that takes.
 */
export function descriptorOf(file: number): Descriptor {
  try {
    if (fstatSync(file).isFile()) return new Threaded(file);
    return new Direct(reopened(file) ?? unblocked(file));
  } catch {
    return new Threaded(file);
  }
}

/** Kept so that its end does not close the file. */
const keptSockets: Socket[] = [];

/** The same pipe or terminal, opened anew: not to wait is then a trait of this process alone. */
function reopened(file: number): number | null {
  const { O_WRONLY, O_APPEND, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    return openSync(`/proc/self/fd/${file}`, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
  } catch {
    return null;
  }
}

/** The file itself, which the runtime makes not wait when it becomes a stream. Throws if it cannot. */
function unblocked(file: number): number {
  const socket = new Socket({ fd: file, readable: false, writable: true });
  socket.on('error', () => {});
  socket.unref();
  keptSockets.push(socket);
  return file;
}

/** What takes bytes at once or not at all. */
class Direct implements Descriptor {
  private readonly file: number;

  constructor(file: number) {
    this.file = file;
  }

  offer(bytes: Buffer, taken: Taken): void {
    let count: number;
    try {
      count = this.offerNow(bytes);
    } catch (error) {
      taken(error as Error, 0);
      return;
    }
    taken(null, count);
  }

  offerNow(bytes: Buffer): number {
    try {
      return writeSync(this.file, bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      throw error;
    }
  }
}

/** What a thread writes. */
class Threaded implements Descriptor {
  private readonly file: number;

  constructor(file: number) {
    this.file = file;
  }

  offer(bytes: Buffer, taken: Taken): void {
    write(this.file, bytes, 0, bytes.length, null, taken);
  }

  offerNow(bytes: Buffer): number {
    return writeSync(this.file, bytes);
  }
}
