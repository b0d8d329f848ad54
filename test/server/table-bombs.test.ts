import { expect, test } from 'vitest';
import type { RawConnection } from '../support/amqp-raw.ts';
import { typed } from '../support/amqp-wire.ts';
import { useServers } from './support.ts';

const start = useServers();

/** Tables that are cheap to send and dear to read. */
const BOMBS: Record<string, Buffer> = {
  'nested 10,000 deep': nested(10_000, 'F'),
  'arrays nested 20,000 deep': nested(20_000, 'A'),
  'with 100,000 fields of no width': longstr(Buffer.concat([field('a', 'A'), voids(100_000)])),
  'with 40,000 fields of one name': longstr(Buffer.alloc(120_000, Buffer.from('\u0001aV'))),
  'whose length lies': Buffer.concat([u32(0xffff_ffff), field('a', 'V')]),
  'whose string is longer than it': longstr(Buffer.concat([field('a', 'S'), u32(0x7fff_ffff)])),
  'whose array is longer than it': longstr(Buffer.concat([field('a', 'A'), u32(1000)])),
  'of an unknown type': longstr(field('a', '?')),
  'cut inside a name': longstr(Buffer.from('\u00ffabc', 'latin1')),
  'with names of the prototype': longstr(
    Buffer.concat([field('__proto__', 'V'), field('constructor', 'V'), field('toString', 'V')]),
  ),
};

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function longstr(bytes: Buffer): Buffer {
  return Buffer.concat([u32(bytes.length), bytes]);
}

function field(name: string, type: string): Buffer {
  return Buffer.concat([Buffer.of(name.length), Buffer.from(name + type)]);
}

/** An array of fields without a value, its length first. */
function voids(count: number): Buffer {
  return longstr(Buffer.alloc(count, 'V'));
}

/** A table in a table in a table, or the same of arrays. */
function nested(depth: number, type: 'A' | 'F'): Buffer {
  const head = type === 'F' ? field('a', 'F') : Buffer.from('A');
  const step = head.length + 4;
  const bytes = Buffer.alloc(depth * step);
  for (let i = 0; i < depth; i++) {
    head.copy(bytes, i * step);
    bytes.writeUInt32BE((depth - i - 1) * step, i * step + head.length);
  }
  return type === 'F' ? longstr(bytes) : longstr(Buffer.concat([Buffer.of(1, 97), bytes]));
}

/** The one that only looks dangerous. */
const HARMLESS = 'with names of the prototype';

describeBombs('the arguments of queue.declare', 501, async (raw, bomb) => {
  raw.send(1, 'queue.declare', { queue: 'q', arguments: bomb });
});

describeBombs('the arguments of a binding', 501, async (raw, bomb) => {
  await raw.call(1, 'queue.declare', { queue: 'q' });
  raw.send(1, 'queue.bind', { queue: 'q', exchange: 'amq.headers', arguments: bomb });
});

describeBombs('headers that are routed by', 502, async (raw, bomb) => {
  await raw.call(1, 'queue.declare', { queue: 'q' });
  const args = { a: typed('S', 'a'), 'x-match': 'any' };
  await raw.call(1, 'queue.bind', { queue: 'q', exchange: 'amq.headers', arguments: args });
  raw.publish(1, { exchange: 'amq.headers' }, { headers: bomb }, Buffer.from('x'));
});

describeBombs('headers that nobody reads', 502, async (raw, bomb) => {
  await raw.call(1, 'queue.declare', { queue: 'q' });
  raw.publish(1, { routingKey: 'q' }, { headers: bomb }, Buffer.from('x'));
});

function describeBombs(
  where: string,
  code: number,
  send: (raw: RawConnection, bomb: Buffer) => Promise<void>,
): void {
  test.each(Object.keys(BOMBS))(`a table %s does no harm in ${where}`, async (title) => {
    const broker = await start();
    const raw = await broker.open();
    await send(raw, BOMBS[title] as Buffer);
    raw.send(1, 'basic.qos', {});
    let frame = await raw.next();
    while (frame.name === 'queue.declare-ok' || frame.name === 'queue.bind-ok') {
      frame = await raw.next();
    }
    if (title === HARMLESS) expect(frame.name).toBe('basic.qos-ok');
    else expect(frame).toMatchObject({ name: 'connection.close', replyCode: code });
    await broker.expectServing();
  });
}
