// Owns what waits to be written to one socket: gathered during a turn, written with one system call
// at its end. Never decides what is sent.

import type { Socket } from 'node:net';
import { type CalledLines, type DeliveryLink, LinkLine } from '../../broker/queue/waiting-line.ts';
import type { MessageLog } from '../../message/log/log.ts';
import type { Segment } from '../../message/log/segment.ts';
import { viewOf } from '../../util/bytes.ts';
import { Barriers } from './barriers.ts';
import { StalledWrite } from './stalled-write.ts';

/** Size of the buffers that output is encoded into. */
const ARENA_BYTES = 128 * 1024;
/** Answers may take so many times what deliveries may before the peer is no longer listened to. */
const OVERFULL_FACTOR = 4;
/** Arenas kept for reuse, for all connections together: a turn of a fan-out fills one for each consumer. */
const ARENA_POOL_MAX = 128;

/** A buffer that frames are encoded into, with the view of it. */
interface Arena {
  readonly bytes: Buffer;
  readonly view: DataView;
}

const arenaPool: Arena[] = [];

/** Told when a socket takes output again. */
export interface OutboxListener {
  /** The outbox has bytes to flush at the end of the turn. */
  outboxFilled(outbox: Outbox): void;
  /** So many answers wait that no more may be asked for; `outboxDrained` will follow. */
  outboxOverfull(): void;
  /** It was full and no longer is. */
  outboxDrained(): void;
}

/*
 *   pieces        [arena part] [segment part] [arena part] ...      the arena now
 *                  not yet given to the socket, in order             |start ... end|
 *                  behind a barrier it waits for a batch of the store
 *   held, pinned   arenas and segments that some write still reads, each with the number of the
 *                  last one that does: the writes begun are 1, 2, ..., and end in that order
 */
/** The output side of one connection. An idle one holds no memory but itself. */
export class Outbox implements DeliveryLink {
  full = false;
  readonly line: LinkLine;
  activeQueues = 0;
  /** Whether no delivery may follow: to consumers it is full for good. */
  private stopped = false;
  /** The arena that `reserve` made room in. */
  bytes: Buffer = Buffer.alloc(0);
  view: DataView = viewOf(this.bytes);
  /** Where the next frame goes; the code that reserved room moves it on. */
  end = 0;
  /** Whether the server has it on its list of outboxes to flush. */
  filled = false;
  /** Where it stops until the disk has a batch. */
  readonly barriers = new Barriers();
  /** The socket is to end when all is written. */
  private ending = false;
  private arena: Arena | null = null;
  private start = 0;
  private readonly pieces: Buffer[] = [];
  private pieceBytes = 0;
  private readonly pinned: Segment[] = [];
  private readonly pinnedUntil: number[] = [];
  private readonly heldArenas: Arena[] = [];
  private readonly heldUntil: number[] = [];
  private writesBegun = 0;
  private writesDone = 0;
  private readonly stall: StalledWrite;
  private readonly socket: Socket;
  private readonly log: MessageLog;
  private readonly listener: OutboxListener;
  private readonly highWatermark: number;
  private readonly written = (): void => this.onWritten();

  constructor(
    socket: Socket,
    log: MessageLog,
    listener: OutboxListener,
    highWatermark: number,
    lines: CalledLines,
  ) {
    this.socket = socket;
    this.log = log;
    this.listener = listener;
    this.highWatermark = highWatermark;
    this.line = new LinkLine(lines, this);
    this.stall = new StalledWrite(socket);
  }

  /** Bytes gathered or waiting in the socket. */
  get waitingBytes(): number {
    return this.pieceBytes + (this.end - this.start) + this.socket.writableLength;
  }

  /** How long calls of this have seen the write under way where it is; 0 when none is. */
  stalledMs(nowMs: number): number {
    const write = this.writesDone + 1;
    return write > this.writesBegun ? 0 : this.stall.seenMs(write, nowMs);
  }

  /** Makes room for a frame of that many bytes in the arena; returns the offset to write it at. */
  reserve(length: number): number {
    if (this.arena === null || this.end + length > this.bytes.length) this.nextArena(length);
    if (!this.filled) this.fill();
    return this.end;
  }

  /** Appends a frame that is encoded already. */
  append(frame: Buffer): void {
    const at = this.reserve(frame.length);
    frame.copy(this.bytes, at);
    this.end = at + frame.length;
    this.checkOverfull();
  }

  /** Notes after an answer whether the peer may ask for more. */
  checkOverfull(): void {
    if (this.waitingBytes <= this.highWatermark * OVERFULL_FACTOR) return;
    this.full = true;
    this.listener.outboxOverfull();
  }

  /** Appends a range of a segment without copying it; the segment keeps it until it is written. */
  appendSegment(segment: Segment, start: number, end: number): void {
    this.cut();
    if (segment.parts === null) this.pieces.push((segment.bytes as Buffer).subarray(start, end));
    else pushParts(this.pieces, segment, start, end);
    this.pieceBytes += end - start;
    segment.pins += 1;
    this.pinned.push(segment);
    this.pinnedUntil.push(this.writesBegun + 1);
  }

  /** What is appended from now on, one answer and all behind it, is written when `batch` is durable. */
  holdUntil(batch: number): void {
    this.cut();
    this.barriers.add(this.pieces.length, batch);
  }

  /** Told that batches are durable: what waited for them is written in this turn. Returns whether more waits. */
  durable(durableBatch: number): boolean {
    if (this.barriers.pass(durableBatch) && !this.filled) this.fill();
    return this.barriers.any;
  }

  /** Sends a heartbeat, ahead of what waits for the disk: a broker with a slow disk is not dead. */
  beat(frame: Buffer): void {
    if (!this.barriers.any) {
      this.append(frame);
      return;
    }
    this.pieces.splice(this.barriers.first, 0, frame);
    this.pieceBytes += frame.length;
    this.barriers.move(1);
    if (!this.filled) this.fill();
  }

  /** Ends the socket once all that was appended is written. */
  endSocket(): void {
    this.ending = true;
    this.flush();
  }

  reopen(): void {
    this.full = this.stopped || this.waitingBytes >= this.highWatermark;
  }

  /** Notes after a delivery whether the connection can take another. */
  checkFull(): void {
    if (this.pieceBytes + (this.end - this.start) >= this.highWatermark) this.full = true;
  }

  /** Gives what was gathered to the socket: all of it, or up to where the disk is waited for. */
  flush(): void {
    this.filled = false;
    this.cut();
    const { pieces, socket, barriers } = this;
    if (pieces.length > 0 && socket.destroyed) {
      this.drop();
      return;
    }
    if (pieces.length > 0 && socket.writableEnded) {
      this.forget();
      return;
    }
    const count = barriers.any ? barriers.first : pieces.length;
    if (count > 0) this.write(count);
    if (this.ending && !barriers.any) socket.end();
  }

  private write(count: number): void {
    const { pieces, socket } = this;
    this.writesBegun += 1;
    const last = count - 1;
    if (last === 0) {
      socket.write(pieces[0] as Buffer, this.written);
    } else {
      socket.cork();
      for (let i = 0; i < last; i++) socket.write(pieces[i] as Buffer);
      socket.write(pieces[last] as Buffer, this.written);
      socket.uncork();
    }
    if (count === pieces.length) {
      pieces.length = 0;
      this.pieceBytes = 0;
    } else {
      this.leaveRest(count);
    }
    if (socket.writableLength === 0) this.release(this.writesBegun);
    const wasFull = this.full;
    const over = this.pieceBytes + socket.writableLength >= this.highWatermark;
    this.full = over || this.stopped;
    if (wasFull && !over) this.listener.outboxDrained();
  }

  /** Takes no deliveries any more. Answers still go out. */
  stop(): void {
    this.stopped = true;
    this.full = true;
  }

  /** Keeps what stands behind a barrier, and all that it may be read from, for a later write. */
  private leaveRest(count: number): void {
    for (const piece of this.pieces.splice(0, count)) this.pieceBytes -= piece.length;
    this.barriers.move(-count);
    readUntil(this.heldUntil, this.writesBegun, this.writesBegun + 1);
    readUntil(this.pinnedUntil, this.writesBegun, this.writesBegun + 1);
  }

  /** Forgets what was not written: the socket is gone. */
  drop(): void {
    this.forget();
    this.release(this.writesBegun);
  }

  /** Forgets what was gathered; what the socket has been given it may still read. */
  private forget(): void {
    this.pieces.length = 0;
    this.pieceBytes = 0;
    this.start = this.end;
    this.full = true;
    this.barriers.clear();
    readUntil(this.heldUntil, this.writesBegun + 1, this.writesBegun);
    readUntil(this.pinnedUntil, this.writesBegun + 1, this.writesBegun);
    this.release(this.writesDone);
  }

  private onWritten(): void {
    this.writesDone += 1;
    if (this.socket.destroyed) return;
    this.release(this.writesDone);
    if (this.full && this.pieceBytes + this.socket.writableLength < this.highWatermark) {
      this.full = this.stopped;
      this.listener.outboxDrained();
    }
  }

  private fill(): void {
    this.filled = true;
    this.listener.outboxFilled(this);
  }

  /** Turns what the arena holds into a piece. */
  private cut(): void {
    if (this.end === this.start) return;
    this.pieces.push(this.bytes.subarray(this.start, this.end));
    this.pieceBytes += this.end - this.start;
    this.start = this.end;
  }

  private nextArena(length: number): void {
    this.cut();
    if (this.arena !== null) {
      this.heldArenas.push(this.arena);
      this.heldUntil.push(this.writesBegun + 1);
    }
    let arena = length > ARENA_BYTES ? undefined : arenaPool.pop();
    if (arena === undefined) {
      const bytes = Buffer.allocUnsafeSlow(Math.max(length, ARENA_BYTES));
      arena = { bytes, view: viewOf(bytes) };
    }
    this.arena = arena;
    this.bytes = arena.bytes;
    this.view = arena.view;
    this.start = 0;
    this.end = 0;
  }

  /** Lets go of what no write after number `done` reads, and of the arena when all is written. */
  private release(done: number): void {
    const { heldArenas, heldUntil, pinned, pinnedUntil } = this;
    let count = 0;
    while (count < heldUntil.length && (heldUntil[count] as number) <= done) {
      this.giveBack(heldArenas[count] as Arena);
      count += 1;
    }
    if (count > 0) {
      heldArenas.splice(0, count);
      heldUntil.splice(0, count);
    }
    count = 0;
    while (count < pinnedUntil.length && (pinnedUntil[count] as number) <= done) {
      this.log.unpin(pinned[count] as Segment);
      count += 1;
    }
    if (count > 0) {
      pinned.splice(0, count);
      pinnedUntil.splice(0, count);
    }
    if (done < this.writesBegun || this.pieces.length > 0 || this.start !== this.end) return;
    if (this.arena !== null) this.giveBack(this.arena);
    this.arena = null;
    this.start = 0;
    this.end = 0;
  }

  private giveBack(arena: Arena): void {
    if (arena.bytes.length === ARENA_BYTES && arenaPool.length < ARENA_POOL_MAX) {
      arenaPool.push(arena);
    }
  }
}

/** Of things by the write that reads them last: those of write `from` and later are read last by write `to`. */
function readUntil(writes: number[], from: number, to: number): void {
  for (let i = writes.length; i > 0 && (writes[i - 1] as number) >= from; i--) writes[i - 1] = to;
}

/** Adds the range of a segment whose content stands in several buffers. */
function pushParts(pieces: Buffer[], segment: Segment, start: number, end: number): void {
  let from = (segment.bytes as Buffer).length;
  for (const part of segment.parts as readonly Buffer[]) {
    const to = from + part.length;
    if (to > start && from < end) {
      pieces.push(part.subarray(Math.max(0, start - from), Math.min(part.length, end - from)));
    }
    from = to;
  }
}
