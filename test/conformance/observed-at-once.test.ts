// What a client sees of a queue that it looks at in the same write as what changes it: waiting consumers
// have had their messages by then, and the queue keeps its limits.
import { describe, expect, it } from 'vitest';
import { isLeveret, useBroker } from '../support/amqp.ts';
import type { RawConnection } from '../support/amqp-raw.ts';
import { encodeContent, encodeMethod, type Fields, type Frame } from '../support/amqp-wire.ts';

const broker = useBroker();

const publish = (routingKey: string, body: string): Buffer =>
  Buffer.concat([
    encodeMethod(1, 'basic.publish', { routingKey }),
    encodeContent(1, {}, Buffer.from(body)),
  ]);

const get = (queue: string): Buffer => encodeMethod(1, 'basic.get', { queue });

async function declared(args: Fields = {}) {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue, arguments: args });
  return { raw, queue };
}

/** Sends all in one write and a qos behind it; gives all that came before the answer to that. */
async function together(raw: RawConnection, ...parts: Buffer[]): Promise<Frame[]> {
  const frames: Frame[] = [];
  raw.write(Buffer.concat([...parts, encodeMethod(1, 'basic.qos')]));
  for (;;) {
    const frame = await raw.next(1);
    frames.push(frame);
    if (frame.name === 'basic.qos-ok' || frame.name === 'channel.close') return frames;
  }
}

/** The bodies that basic.get brought, with R where redelivered, and null where there was none. */
async function got(raw: RawConnection, ...parts: Buffer[]): Promise<(string | null)[]> {
  const found: (string | null)[] = [];
  const frames = await together(raw, ...parts);
  let flag: string | null = null;
  for (const frame of frames) {
    if (frame.name === 'basic.get-empty') found.push(null);
    if (frame.name === 'basic.deliver') flag = null;
    if (frame.name === 'basic.get-ok') flag = frame['redelivered'] === true ? 'R' : '';
    if (frame.name === 'body' && flag !== null) found.push(`${frame['payload']}${flag}`);
  }
  return found;
}

describe('a message published while a consumer waits', () => {
  const looks: [string, string, Fields, string, Fields][] = [
    ['basic.get', 'basic.get', {}, 'basic.get-empty', {}],
    ['a purge', 'queue.purge', {}, 'queue.purge-ok', { messageCount: 0 }],
    ['a deletion', 'queue.delete', {}, 'queue.delete-ok', { messageCount: 0 }],
    ['a deletion if empty', 'queue.delete', { ifEmpty: true }, 'queue.delete-ok', {}],
    [
      'a passive declare',
      'queue.declare',
      { passive: true },
      'queue.declare-ok',
      { messageCount: 0 },
    ],
    ['a declare', 'queue.declare', {}, 'queue.declare-ok', { messageCount: 0 }],
  ];

  it.each(looks)('is its, before %s is acted upon', async (_what, method, fields, answer, more) => {
    const { raw, queue } = await declared();
    await raw.call(1, 'basic.consume', { queue, noAck: true });
    raw.write(Buffer.concat([publish(queue, 'm'), encodeMethod(1, method, { queue, ...fields })]));
    const frames = [];
    for (let n = 0; n < 4; n++) frames.push(await raw.next(1));
    expect(frames.find(({ name }) => name === answer)).toMatchObject(more);
    expect(frames.find(({ name }) => name === 'body')).toMatchObject({ payload: Buffer.from('m') });
  });

  it('is its, before it cancels', async () => {
    const { raw, queue } = await declared();
    await raw.call(1, 'basic.consume', { queue, consumerTag: 'c', noAck: true });
    const cancel = encodeMethod(1, 'basic.cancel', { consumerTag: 'c' });
    raw.write(Buffer.concat([publish(queue, 'm'), cancel]));
    const names: string[] = [];
    for (let n = 0; n < 4; n++) names.push((await raw.next(1)).name);
    expect(names).toContain('basic.deliver');
    expect(names).toContain('basic.cancel-ok');
    expect(await got(raw, get(queue))).toEqual([null]);
  });

  it('is its, and not a newcomer’s', async () => {
    const { raw, queue } = await declared();
    await raw.openChannel(2);
    await raw.call(1, 'basic.consume', { queue, consumerTag: 'first', noAck: true });
    const consume = encodeMethod(2, 'basic.consume', { queue, arguments: { 'x-priority': 9 } });
    raw.write(Buffer.concat([publish(queue, 'm'), consume]));
    expect((await raw.message(1)).method).toMatchObject({ consumerTag: 'first' });
  });

  it('is its, when it has just acked the one before', async () => {
    const { raw, queue } = await declared();
    await raw.call(1, 'basic.qos', { prefetchCount: 1 });
    await raw.call(1, 'basic.consume', { queue });
    raw.write(Buffer.concat(['a', 'b', 'c'].map((body) => publish(queue, body))));
    await raw.message(1);
    const ack = encodeMethod(1, 'basic.ack', { deliveryTag: 1 });
    raw.write(Buffer.concat([ack, get(queue)]));
    const both = [await raw.message(1), await raw.message(1)];
    const body = (name: string) => both.find(({ method }) => method.name === name)?.body.toString();
    expect([body('basic.deliver'), body('basic.get-ok')]).toEqual(['b', 'c']);
  });
});

it('a consumer that comes has all that is there, before a basic.get behind it', async () => {
  const { raw, queue } = await declared();
  raw.write(Buffer.concat(['a', 'b', 'c'].map((body) => publish(queue, body))));
  const consume = encodeMethod(1, 'basic.consume', { queue, noAck: true });
  expect(await got(raw, consume, get(queue))).toEqual([null]);
});

describe('messages that return to a queue with a limit', () => {
  const back = encodeMethod(1, 'basic.nack', { deliveryTag: 0, multiple: true, requeue: true });
  const ways: [string, Buffer][] = [
    ['basic.nack', back],
    ['basic.recover', encodeMethod(1, 'basic.recover', { requeue: true })],
    [
      'basic.reject',
      Buffer.concat(
        [2, 1].map((deliveryTag) =>
          encodeMethod(1, 'basic.reject', { deliveryTag, requeue: true }),
        ),
      ),
    ],
  ];

  it.each(ways)('by %s make room at once: the oldest go', async (_way, bytes) => {
    const { raw, queue } = await declared({ 'x-max-length': 2 });
    const taken = [publish(queue, 'a'), publish(queue, 'b'), get(queue), get(queue)];
    expect(await got(raw, ...taken, publish(queue, 'c'), publish(queue, 'd'))).toEqual(['a', 'b']);
    const gets = [get(queue), get(queue), get(queue)];
    expect(await got(raw, bytes, ...gets)).toEqual(['c', 'd', null]);
  });

  it('keep to a limit of bytes', async () => {
    const { raw, queue } = await declared({ 'x-max-length-bytes': 10 });
    await got(raw, publish(queue, 'aaaaaa'), get(queue), publish(queue, 'bbbbbb'));
    expect(await got(raw, back, get(queue), get(queue))).toEqual(['bbbbbb', null]);
  });

  it('are dead-lettered as too many', async () => {
    const dead = broker.name();
    const { raw, queue } = await declared({
      'x-max-length': 1,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': dead,
    });
    await raw.call(1, 'queue.declare', { queue: dead });
    await got(raw, publish(queue, 'a'), get(queue), publish(queue, 'b'));
    expect(await got(raw, back, get(queue), get(queue))).toEqual(['b', null]);
    expect(await got(raw, get(dead))).toEqual(['a']);
  });

  it('go before a consumer with credit is looked for', async () => {
    const { raw, queue } = await declared({ 'x-max-length': 1 });
    await raw.call(1, 'basic.qos', { prefetchCount: 1 });
    await raw.call(1, 'basic.consume', { queue });
    raw.write(Buffer.concat([publish(queue, 'a'), publish(queue, 'b')]));
    await raw.message(1);
    raw.send(1, 'basic.nack', { deliveryTag: 1, requeue: true });
    expect((await raw.message(1)).body.toString()).toBe('b');
  });

  it.each(['reject-publish', 'reject-publish-dlx'])(
    'stay where %s is the rule',
    async (overflow) => {
      const { raw, queue } = await declared({ 'x-max-length': 1, 'x-overflow': overflow });
      await got(raw, publish(queue, 'a'), get(queue), publish(queue, 'b'));
      const gets = [get(queue), get(queue), get(queue)];
      expect(await got(raw, back, ...gets)).toEqual(['aR', 'b', null]);
    },
  );

  it('by the end of their channel make room as well', async () => {
    const { raw, queue } = await declared({ 'x-max-length': 1 });
    await raw.openChannel(2);
    await got(raw, publish(queue, 'a'), get(queue), publish(queue, 'b'));
    await raw.call(1, 'channel.close', { replyCode: 200 });
    expect(await raw.call(2, 'queue.declare', { queue, passive: true })).toMatchObject({
      messageCount: 1,
    });
    raw.send(2, 'basic.get', { queue });
    expect((await raw.message(2)).body.toString()).toBe('b');
  });
});

describe('basic.get right behind a consumer that a backlog waits for', () => {
  // RabbitMQ was seen to give it the first or the 201st; Leveret gives the consumer 4,096 before.
  const backlogs: [number, string | null][] = [
    [1000, null],
    [6000, '4096'],
  ];
  it.each(backlogs)(
    'of %i messages has one that the consumer has not, or none',
    async (count, body) => {
      const { raw, queue } = await declared();
      await raw.openChannel(2);
      const all = Array.from({ length: count }, (_, n) => String(n));
      raw.write(Buffer.concat(all.map((n) => publish(queue, n))));
      await raw.call(1, 'basic.qos');
      raw.write(
        Buffer.concat([
          encodeMethod(1, 'basic.consume', { queue, consumerTag: 'c', noAck: true }),
          encodeMethod(2, 'basic.get', { queue, noAck: true }),
        ]),
      );
      const reply = await raw.next(2);
      const got = reply.name === 'basic.get-ok' ? await bodyOn(raw, 2) : null;
      if (isLeveret) expect(got).toBe(body);
      await raw.next(1);
      const consumed: string[] = [];
      while (consumed.length < count - (got === null ? 0 : 1)) consumed.push(await bodyOn(raw, 1));
      expect(consumed).toEqual(all.filter((n) => n !== got));
    },
  );
});

/** The body of the next message on a channel. */
async function bodyOn(raw: RawConnection, channel: number): Promise<string> {
  let frame = await raw.next(channel);
  while (frame.name !== 'body') frame = await raw.next(channel);
  return String(frame['payload']);
}
