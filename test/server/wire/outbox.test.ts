import type { Socket } from 'node:net';
import { beforeEach, describe, expect, test } from 'vitest';
import { CalledLines } from '../../../src/broker/queue/waiting-line.ts';
import type { MessageLog } from '../../../src/message/log/log.ts';
import { Segment } from '../../../src/message/log/segment.ts';
import { Outbox } from '../../../src/server/wire/outbox.ts';
import { privately, Random } from '../support.ts';

const NO_LINES = new CalledLines({ touch: () => {} }, { turnWanted: () => {} });
const HIGH_WATERMARK = 64 * 1024;

interface Write {
  readonly bytes: Buffer;
  readonly done: (() => void) | undefined;
}

/**
 * A socket as node:net behaves: while one write is under way all others wait, and they leave together
 * when it is done. Bytes are read when they leave, so a buffer that was reused too early shows.
 */
class FakeSocket {
  readonly left: Buffer[] = [];
  leftBytes = 0;
  writableLength = 0;
  destroyed = false;
  writableEnded = false;
  /** Whether the system takes what is written at once. */
  open = true;
  writes = 0;
  private underWay: Write[] = [];
  private waiting: Write[] = [];
  private corked = false;

  write(bytes: Buffer, done?: () => void): boolean {
    this.writes += 1;
    this.writableLength += bytes.length;
    this.waiting.push({ bytes, done });
    if (!this.corked) this.send();
    return true;
  }

  cork(): void {
    this.corked = true;
  }

  uncork(): void {
    this.corked = false;
    this.send();
  }

  /** The write under way is done; what waited is now under way. */
  finishWrite(): void {
    const done = this.underWay;
    this.underWay = [];
    for (const { bytes } of done) this.leave(bytes);
    this.send();
    for (const write of done) write.done?.();
  }

  finishAll(): void {
    while (this.underWay.length > 0) this.finishWrite();
  }

  get content(): Buffer {
    return Buffer.concat(this.left);
  }

  private send(): void {
    if (this.underWay.length > 0) return;
    this.underWay = this.waiting;
    this.waiting = [];
    if (!this.open) return;
    const taken = this.underWay;
    this.underWay = [];
    for (const { bytes } of taken) this.leave(bytes);
    for (const write of taken) if (write.done !== undefined) process.nextTick(write.done);
  }

  private leave(bytes: Buffer): void {
    this.left.push(Buffer.from(bytes));
    this.leftBytes += bytes.length;
    this.writableLength -= bytes.length;
  }
}

let socket: FakeSocket;
let outbox: Outbox;
let filled: number;
let drained: number;

beforeEach(() => {
  socket = new FakeSocket();
  filled = 0;
  drained = 0;
  outbox = makeOutbox(socket);
});

function makeOutbox(on: FakeSocket): Outbox {
  const unpin = (segment: Segment): void => {
    segment.pins -= 1;
    if (segment.pins === 0 && segment.liveWeight === 0) segment.bytes?.fill(0xdd);
  };
  const listener = {
    outboxFilled: () => {
      filled += 1;
    },
    outboxOverfull: () => {},
    outboxDrained: () => {
      drained += 1;
    },
  };
  const log = privately<MessageLog>({ unpin });
  return new Outbox(privately<Socket>(on), log, listener, HIGH_WATERMARK, NO_LINES);
}

function segmentOf(bytes: Buffer): Segment {
  return new Segment(7, false, bytes, false);
}

/** Arenas and segments that the outbox keeps for writes under way. */
function heldCount(): number {
  const { heldArenas, pinned } = privately<{ heldArenas: unknown[]; pinned: unknown[] }>(outbox);
  return heldArenas.length + pinned.length;
}

/** No arena was given back twice: outboxes that fill at the same time get one each. */
function expectArenasApart(): void {
  const sockets = Array.from({ length: 40 }, () => new FakeSocket());
  const outboxes = sockets.map(makeOutbox);
  for (const each of outboxes) each.append(Buffer.from('x'));
  expect(new Set(outboxes.map((each) => each.bytes.buffer)).size).toBe(40);
  for (const each of outboxes) each.flush();
}

const nextTick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a socket that takes everything', () => {
  test('gets what a turn gathered in one write', () => {
    outbox.append(Buffer.from('one '));
    const at = outbox.reserve(3);
    outbox.bytes.write('two', at);
    outbox.end = at + 3;
    expect(filled).toBe(1);
    expect(socket.writes).toBe(0);
    outbox.flush();
    expect(socket.writes).toBe(1);
    expect(socket.content.toString()).toBe('one two');
  });

  test('leaves an idle outbox without an arena or a segment', async () => {
    const segment = segmentOf(Buffer.from('body'));
    outbox.append(Buffer.from('head '));
    outbox.appendSegment(segment, 0, 4);
    outbox.flush();
    await nextTick();
    expect(socket.content.toString()).toBe('head body');
    expect(heldCount()).toBe(0);
    expect(privately<{ arena: unknown }>(outbox).arena).toBeNull();
    expect(segment.pins).toBe(0);
    expectArenasApart();
  });

  test('gets nothing from a flush with nothing to write', () => {
    outbox.flush();
    expect(socket.writes).toBe(0);
  });

  test('gets frames of any size in order, those larger than an arena too', () => {
    const random = new Random(1);
    const frames = [10, 200_000, 3, 131_072, 131_071, 1, 300_000].map((n) => random.bytes(n));
    for (const frame of frames) outbox.append(frame);
    outbox.flush();
    expect(socket.content.equals(Buffer.concat(frames))).toBe(true);
    expectArenasApart();
  });
});

describe('output that waits for the disk', () => {
  test('stops where it has to wait, and goes on from there', () => {
    outbox.append(Buffer.from('before '));
    outbox.holdUntil(7);
    outbox.append(Buffer.from('behind'));
    outbox.flush();
    expect(socket.content.toString()).toBe('before ');
    outbox.append(Buffer.from(' it'));
    outbox.flush();
    expect(outbox.durable(6)).toBe(true);
    outbox.flush();
    expect(socket.content.toString()).toBe('before ');
    expect(outbox.durable(7)).toBe(false);
    outbox.flush();
    expect(socket.content.toString()).toBe('before behind it');
  });

  test('is overtaken by heartbeats, in order among themselves', () => {
    outbox.append(Buffer.from('1'));
    outbox.holdUntil(7);
    outbox.append(Buffer.from('4'));
    outbox.beat(Buffer.from('2'));
    outbox.beat(Buffer.from('3'));
    outbox.flush();
    expect(socket.content.toString()).toBe('123');
    outbox.durable(7);
    outbox.flush();
    expect(socket.content.toString()).toBe('1234');
    outbox.beat(Buffer.from('5'));
    outbox.flush();
    expect(socket.content.toString()).toBe('12345');
  });

  test('counts as waiting for the socket does, so that no more is delivered than there is room for', () => {
    outbox.holdUntil(7);
    outbox.append(Buffer.alloc(HIGH_WATERMARK));
    outbox.checkFull();
    outbox.flush();
    expect(outbox.full).toBe(true);
    expect(drained).toBe(0);
    outbox.durable(7);
    outbox.flush();
    expect(outbox.full).toBe(false);
    expect(drained).toBe(1);
  });

  test('is written before the socket ends', () => {
    let ended = '';
    const ending = Object.assign(socket, {
      end: () => {
        ended = socket.content.toString();
      },
    });
    outbox = makeOutbox(ending);
    outbox.holdUntil(7);
    outbox.append(Buffer.from('answer'));
    outbox.endSocket();
    expect(ended).toBe('');
    expect(socket.content.toString()).toBe('');
    outbox.durable(7);
    outbox.flush();
    expect(ended).toBe('answer');
  });
});

describe('a socket that is slow', () => {
  beforeEach(() => {
    socket.open = false;
  });

  test('gets the bytes as they were appended, whatever is appended meanwhile', () => {
    const random = new Random(2);
    const expected: Buffer[] = [];
    for (let round = 0; round < 300; round++) {
      const frame = random.bytes(1 + random.below(3000));
      expected.push(frame);
      if (random.below(3) === 0) {
        const segment = segmentOf(Buffer.concat([Buffer.alloc(5), frame]));
        outbox.appendSegment(segment, 5, 5 + frame.length);
      } else {
        outbox.append(frame);
      }
      if (random.below(4) === 0) outbox.flush();
      if (random.below(5) === 0) socket.finishWrite();
    }
    outbox.flush();
    socket.finishAll();
    expect(socket.content.equals(Buffer.concat(expected))).toBe(true);
    expect(heldCount()).toBe(0);
    expectArenasApart();
  });

  test('gets nothing that stands behind a batch before it is durable, and all of it as it was appended', () => {
    const random = new Random(4);
    const appended: Buffer[] = [];
    const barriers: { batch: number; at: number }[] = [];
    let length = 0;
    let batch = 0;
    let durable = 0;
    for (let round = 0; round < 2000; round++) {
      if (random.below(6) === 0) {
        batch += random.below(2);
        outbox.holdUntil(batch);
        if (batch > durable) barriers.push({ batch, at: length });
      }
      const frame = random.bytes(1 + random.below(3000));
      if (random.below(3) === 0)
        outbox.appendSegment(segmentOf(Buffer.from(frame)), 0, frame.length);
      else outbox.append(frame);
      appended.push(frame);
      length += frame.length;
      if (random.below(3) === 0) outbox.flush();
      if (random.below(4) === 0) socket.finishWrite();
      expect(socket.leftBytes).toBeLessThanOrEqual(barriers[0]?.at ?? length);
      if (random.below(12) === 0) {
        durable += random.below(batch - durable + 1);
        outbox.durable(durable);
        while (barriers.length > 0 && (barriers[0]?.batch as number) <= durable) barriers.shift();
      }
    }
    expect(outbox.durable(batch)).toBe(false);
    expect(outbox.barriers.answers).toBe(0);
    outbox.flush();
    socket.finishAll();
    expect(socket.content.equals(Buffer.concat(appended))).toBe(true);
    expect(heldCount()).toBe(0);
    expectArenasApart();
  });

  test('keeps a segment pinned until its bytes have left', () => {
    const segment = segmentOf(Buffer.alloc(100));
    outbox.appendSegment(segment, 0, 50);
    outbox.appendSegment(segment, 50, 100);
    expect(segment.pins).toBe(2);
    outbox.flush();
    expect(segment.pins).toBe(2);
    socket.finishAll();
    expect(segment.pins).toBe(0);
  });

  test('keeps what is gathered when a write before it ends', () => {
    const segment = segmentOf(Buffer.from('body'));
    outbox.append(Buffer.from('first '));
    outbox.flush();
    const large = new Random(3).bytes(130_000);
    outbox.append(large);
    outbox.append(Buffer.from(' in the next arena '));
    outbox.appendSegment(segment, 0, 4);
    socket.finishWrite();
    expect(segment.pins).toBe(1);
    expectArenasApart();
    outbox.flush();
    socket.finishAll();
    const whole = ['first ', large, ' in the next arena body'].map((part) => Buffer.from(part));
    expect(socket.content.equals(Buffer.concat(whole))).toBe(true);
    expect(segment.pins).toBe(0);
  });

  test('gathers small output of many turns in one arena', () => {
    for (let turn = 0; turn < 1000; turn++) {
      outbox.append(Buffer.alloc(21));
      outbox.flush();
    }
    expect(heldCount()).toBe(0);
    socket.finishAll();
    expect(privately<{ arena: unknown }>(outbox).arena).toBeNull();
    expectArenasApart();
  });

  test('does not hold on to what has left although it is never idle', () => {
    const segments: Segment[] = [];
    let heldMost = 0;
    for (let round = 0; round < 200; round++) {
      const segment = segmentOf(Buffer.alloc(1000));
      segments.push(segment);
      outbox.append(Buffer.from('head'));
      outbox.appendSegment(segment, 0, 1000);
      outbox.flush();
      if (round > 0) socket.finishWrite();
      heldMost = Math.max(heldMost, heldCount());
    }
    expect(heldMost).toBeLessThanOrEqual(8);
    expect(segments.filter((segment) => segment.pins > 0).length).toBeLessThanOrEqual(4);
    socket.finishAll();
    expect(heldCount()).toBe(0);
    expectArenasApart();
  });

  test('makes the outbox full at the mark, and tells once when it is below again', () => {
    outbox.append(Buffer.alloc(HIGH_WATERMARK - 1));
    outbox.checkFull();
    expect(outbox.full).toBe(false);
    outbox.append(Buffer.alloc(1));
    outbox.checkFull();
    expect(outbox.full).toBe(true);
    outbox.flush();
    expect(outbox.full).toBe(true);
    expect(outbox.waitingBytes).toBe(HIGH_WATERMARK);
    expect(drained).toBe(0);
    outbox.append(Buffer.alloc(10));
    outbox.flush();
    socket.finishWrite();
    expect(outbox.full).toBe(false);
    expect(drained).toBe(1);
    socket.finishAll();
    expect(drained).toBe(1);
    expect(outbox.waitingBytes).toBe(0);
  });

  test('a full outbox that the socket takes at once is not full any more', () => {
    socket.open = true;
    outbox.append(Buffer.alloc(HIGH_WATERMARK));
    outbox.checkFull();
    outbox.flush();
    expect(outbox.full).toBe(false);
    expect(drained).toBe(1);
  });
});

describe('a socket that is gone', () => {
  test('gives back segments and arenas, once, with writes under way and more gathered', () => {
    socket.open = false;
    const segment = segmentOf(Buffer.alloc(100));
    outbox.append(Buffer.from('a'));
    outbox.appendSegment(segment, 0, 100);
    outbox.flush();
    outbox.append(Buffer.alloc(140_000));
    outbox.append(Buffer.from('b'));
    outbox.appendSegment(segment, 0, 100);
    expect(segment.pins).toBe(2);
    socket.destroyed = true;
    outbox.drop();
    expect(segment.pins).toBe(0);
    expect(heldCount()).toBe(0);
    socket.finishAll();
    expect(segment.pins).toBe(0);
    expectArenasApart();
  });

  test('still reads what it was given before it was ended', () => {
    socket.open = false;
    const segment = segmentOf(Buffer.from('body'));
    outbox.append(Buffer.from('close-ok '));
    outbox.appendSegment(segment, 0, 4);
    outbox.flush();
    socket.writableEnded = true;
    outbox.append(Buffer.from('too late'));
    outbox.flush();
    expect(segment.pins).toBe(1);
    expectArenasApart();
    socket.finishAll();
    expect(socket.content.toString()).toBe('close-ok body');
    expect(segment.pins).toBe(0);
    expect(heldCount()).toBe(0);
  });

  test.each(['destroyed', 'writableEnded'] as const)('takes nothing once it is %s', (state) => {
    const segment = segmentOf(Buffer.alloc(100));
    socket[state] = true;
    outbox.append(Buffer.from('a'));
    outbox.appendSegment(segment, 0, 100);
    outbox.flush();
    expect(socket.writes).toBe(0);
    expect(segment.pins).toBe(0);
    expect(outbox.full, 'nobody delivers to it').toBe(true);
    outbox.append(Buffer.from('late'));
    outbox.flush();
    expect(socket.writes).toBe(0);
    expectArenasApart();
  });
});
