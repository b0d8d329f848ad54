// What peers may send before they are let in, as any bytes: the answer is tune, open-ok or the close that
// fits, and never an error of the broker's own.

import { expect, test } from 'vitest';
import { jsonText } from '../../src/util/json/json-writer.ts';
import { Random } from '../amqp/random.ts';
import {
  bytesOf,
  ODD_TEXTS,
  type Odd,
  oddEntries,
  oddValue,
  type Text,
  tableOf,
} from '../fuzz/values.ts';
import type { RawConnection } from '../support/amqp-raw.ts';
import type { Fields, Frame } from '../support/amqp-wire.ts';
import { type TestServer, useServers } from './support.ts';

const start = useServers();
const ROUNDS = 150;
const KNOWN = ['product', 'version', 'platform', 'capabilities', 'connection_name', 'information'];
const CAPABILITIES = [
  'authentication_failure_close',
  'consumer_cancel_notify',
  'connection.blocked',
];

/** Sends start-ok and gives the answer; who asked is told of a login that failed. */
async function login(broker: TestServer, fields: Fields): Promise<[RawConnection, Frame]> {
  const raw = await broker.dial();
  await raw.start();
  const answer = await raw.call(0, 'connection.start-ok', {
    clientProperties: { capabilities: { authentication_failure_close: true } },
    mechanism: 'PLAIN',
    response: '\0guest\0guest',
    locale: 'en_US',
    ...fields,
  });
  return [raw, answer];
}

/** Fails where the broker blames itself, or where what it shows of its connections cannot be shown. */
function expectSound(broker: TestServer, frame: Frame, what: unknown): void {
  expect(jsonText([...broker.server.view.connections()])).toContain('peer_host');
  expect(broker.lines.filter(({ level }) => level >= 50)).toEqual([]);
  if (frame.name !== 'connection.close') return;
  expect([403, 501, 502, 503, 505], JSON.stringify([what, frame])).toContain(frame['replyCode']);
}

test('client properties of every type, at every place, are taken or refused', async () => {
  const broker = await start();
  const random = new Random(20_811);
  let taken = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const capabilities: Odd = ['F', CAPABILITIES.map((name) => [name, oddValue(random)] as const)];
    const entries = [
      ...KNOWN.map((name) => [name, oddValue(random)] as const),
      ...oddEntries(random),
      ...(round % 2 === 0 ? [['capabilities', capabilities] as const] : []),
    ];
    const [raw, answer] = await login(broker, { clientProperties: tableOf(entries) });
    expectSound(broker, answer, entries);
    if (answer.name === 'connection.tune') {
      taken += 1;
      raw.send(0, 'connection.tune-ok', { channelMax: 1, frameMax: 4096, heartbeat: 0 });
      expect((await raw.call(0, 'connection.open', { virtualHost: '/' })).name).toMatch(/open-ok/);
      expectSound(broker, answer, entries);
    }
    raw.drop();
  }
  expect(taken).toBeGreaterThan(ROUNDS / 3);
  await broker.expectServing();
});

test('responses of AMQPLAIN with every type, twice or not at all, let nobody in', async () => {
  const broker = await start();
  const random = new Random(40_812);
  for (let round = 0; round < ROUNDS; round++) {
    const entries = [
      ...(random.below(4) > 0 ? [['LOGIN', oddValue(random)] as const] : []),
      ...(random.below(4) > 0 ? [['PASSWORD', oddValue(random)] as const] : []),
      ...(random.below(4) > 0 ? [['LOGIN', oddValue(random)] as const] : []),
      ...oddEntries(random, 1),
    ];
    const table = tableOf(entries).subarray(4);
    const response = random.below(4) === 0 ? table.subarray(0, random.below(40)) : table;
    const [raw, answer] = await login(broker, { mechanism: 'AMQPLAIN', response });
    expect(answer.name, JSON.stringify(entries)).toBe('connection.close');
    expectSound(broker, answer, entries);
    raw.drop();
  }
  const twice: [Text, Odd][] = [
    ['LOGIN', ['S', 'nobody']],
    ['PASSWORD', ['S', 'guest']],
    ['LOGIN', ['S', 'guest']],
  ];
  const both = { mechanism: 'AMQPLAIN', response: tableOf(twice).subarray(4) };
  expectSound(broker, (await login(broker, both))[1], twice);
  await broker.expectServing();
});

test('names and passwords that are no text, or hold zeros, are those of no user', async () => {
  const broker = await start();
  const users = broker.server.broker.access;
  users.putUserNow({ name: 'a\ufffd', tags: [] }, '\ufffd', 1);
  const odd = ['ff', 'eda080', '00', '', 'c0af', 'ff'.repeat(256), '61'.repeat(5000), '0000'];
  const texts = odd.map((hex) => Buffer.from(hex, 'hex'));
  const zero = Buffer.of(0);
  for (const text of texts) {
    const tried = [
      Buffer.concat([zero, text, zero, text]),
      Buffer.concat([zero, Buffer.from('guest'), zero, text]),
      Buffer.concat([zero, Buffer.from('a'), text, zero, text]),
      Buffer.concat([text, zero, Buffer.from('guest'), zero, Buffer.from('guest'), zero]),
      text,
    ];
    for (const response of tried) {
      if (response.equals(Buffer.from('\0a\ufffd\0\ufffd'))) continue;
      const [raw, answer] = await login(broker, { response });
      expect(answer.name, response.toString('hex').slice(0, 80)).toBe('connection.close');
      expectSound(broker, answer, response);
      raw.drop();
    }
  }
  await broker.expectServing();
});

test.each<[Fields, string | number]>([
  [{ channelMax: 1, frameMax: 4096, heartbeat: 65_535 }, 'connection.open-ok'],
  [{ channelMax: 2047, frameMax: 131_072, heartbeat: 1 }, 'connection.open-ok'],
  [{ channelMax: 0, frameMax: 4096, heartbeat: 0 }, 530],
  [{ channelMax: 65_535, frameMax: 4096, heartbeat: 0 }, 530],
  [{ channelMax: 2048, frameMax: 4096, heartbeat: 0 }, 530],
  [{ channelMax: 1, frameMax: 0, heartbeat: 0 }, 530],
  [{ channelMax: 1, frameMax: 1, heartbeat: 0 }, 530],
  [{ channelMax: 1, frameMax: 4095, heartbeat: 0 }, 530],
  [{ channelMax: 1, frameMax: 131_073, heartbeat: 0 }, 530],
  [{ channelMax: 1, frameMax: 4_294_967_295, heartbeat: 0 }, 530],
])('tune-ok with %j is answered with %s', async (tuneOk, expected) => {
  const broker = await start();
  const [raw] = await login(broker, {});
  raw.send(0, 'connection.tune-ok', tuneOk);
  const answer = await raw.call(0, 'connection.open', { virtualHost: '/' });
  expect(answer['replyCode'] ?? answer.name).toBe(expected);
  raw.drop();
});

test('odd names of vhosts are not found, whatever their bytes', async () => {
  const broker = await start();
  for (const text of ODD_TEXTS.map(bytesOf).filter(({ length }) => length <= 255)) {
    const [raw] = await login(broker, {});
    raw.send(0, 'connection.tune-ok', { channelMax: 1, frameMax: 4096, heartbeat: 0 });
    const answer = await raw.call(0, 'connection.open', { virtualHost: text });
    expect(answer, text.toString('hex')).toMatchObject({ name: 'connection.close' });
    expect([501, 530], JSON.stringify(answer)).toContain(answer['replyCode']);
    raw.drop();
  }
  await broker.expectServing();
});
