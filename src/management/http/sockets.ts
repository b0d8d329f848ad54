// Owns the connections of the ports of one tool: how many there may be, which gives way to a new one,
// and when one is cut because its peer takes nothing. Never reads or writes.

import type { Socket } from 'node:net';
import type { Clock } from '../../util/clock.ts';

/** So many connections at a time. */
const CONNECTIONS_MAX = 512;
/** In so long a peer takes so much of what waits for it, and all of it in the other. */
export const WRITE_TIMEOUT_MS = 30_000;
const TAKEN_BYTES_MIN = 16 * 1024;
const ANSWER_TIMEOUT_MS = 300_000;
/** How often to look. */
export const LOOK_MS = 5000;

/** What is told of the sockets of a tool, and told to it. */
export interface HttpSockets {
  /** Whether an answer is under way or a request waits for its turn. */
  isAnswering(socket: Socket): boolean;
  /** To be called when a socket carries something else than HTTP from now on. */
  takenOver(socket: Socket): void;
}

/** One connection. */
interface Entry {
  readonly socket: Socket;
  readonly address: string;
  /** What its peer has sent and taken, when that was last seen to change. */
  moved: number;
  movedMs: number;
  /** What its peer had taken at the beginning of a span in which something waits, and when that was. */
  taken: number;
  takenMs: number;
  /** When nothing waited for it last. */
  emptyMs: number;
}

/** The connections of a tool. */
export class ToolSockets {
  private readonly clock: Clock;
  private readonly max: number;
  private readonly entries = new Map<Socket, Entry>();
  private readonly ofAddress = new Map<string, number>();

  constructor(clock: Clock, max = CONNECTIONS_MAX) {
    this.clock = clock;
    this.max = max;
  }

  get size(): number {
    return this.entries.size;
  }

  /** Takes a connection. Where there are too many, the one that can best be spared is cut for it. */
  add(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    const count = (this.ofAddress.get(address) ?? 0) + 1;
    this.ofAddress.set(address, count);
    const nowMs = this.clock.monotonicMs();
    const entry = {
      socket,
      address,
      moved: movedBy(socket),
      movedMs: nowMs,
      taken: takenBy(socket),
      takenMs: nowMs,
      emptyMs: nowMs,
    };
    if (this.entries.size >= this.max) this.spare();
    this.entries.set(socket, entry);
    socket.once('close', () => this.remove(socket));
  }

  /** Forgets one that is closed, or that carries something else than HTTP from now on. */
  remove(socket: Socket): void {
    const entry = this.entries.get(socket);
    if (entry === undefined) return;
    this.entries.delete(socket);
    const { address } = entry;
    const count = (this.ofAddress.get(address) ?? 1) - 1;
    if (count > 0) this.ofAddress.set(address, count);
    else this.ofAddress.delete(address);
  }

  /** Cuts the sockets of peers that take nothing, or too slowly; to be called every `LOOK_MS`. */
  look(): void {
    const nowMs = this.clock.monotonicMs();
    for (const entry of this.entries.values()) {
      this.note(entry, nowMs);
      if (isStalled(entry, nowMs)) entry.socket.destroy();
    }
  }

  /** Ends all that are there. */
  closeAll(): void {
    for (const { socket } of [...this.entries.values()]) socket.destroy();
  }

  private note(entry: Entry, nowMs: number): void {
    const moved = movedBy(entry.socket);
    if (moved === entry.moved) return;
    entry.moved = moved;
    entry.movedMs = nowMs;
  }

  /** Cuts one: of the address that has most of them the one that has not moved for longest. */
  private spare(): void {
    const nowMs = this.clock.monotonicMs();
    let least: Entry | null = null;
    for (const entry of this.entries.values()) {
      this.note(entry, nowMs);
      if (least === null || this.isSpared(entry, least)) least = entry;
    }
    if (least === null) return;
    this.remove(least.socket);
    least.socket.destroy();
  }

  private isSpared(entry: Entry, than: Entry): boolean {
    const count = this.ofAddress.get(entry.address) ?? 0;
    const most = this.ofAddress.get(than.address) ?? 0;
    if (count !== most) return count > most;
    return entry.movedMs < than.movedMs;
  }
}

/** Whether what waits for a peer waits for too long. */
function isStalled(entry: Entry, nowMs: number): boolean {
  const { socket } = entry;
  const taken = takenBy(socket);
  if (socket.writableLength === 0) entry.emptyMs = nowMs;
  if (socket.writableLength === 0 || taken - entry.taken >= TAKEN_BYTES_MIN) {
    entry.taken = taken;
    entry.takenMs = nowMs;
  }
  return nowMs - entry.takenMs >= WRITE_TIMEOUT_MS || nowMs - entry.emptyMs >= ANSWER_TIMEOUT_MS;
}

/** How much a peer has taken of what was written. */
function takenBy(socket: Socket): number {
  return socket.bytesWritten - socket.writableLength;
}

/** How much a peer has sent and taken: it only grows. */
function movedBy(socket: Socket): number {
  return socket.bytesRead + takenBy(socket);
}
