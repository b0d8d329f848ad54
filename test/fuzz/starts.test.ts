// Owns the proof that no crash loop can be caused: every method of AMQP and every route of HTTP with odd
// values in each of their fields, then a restart that succeeds, lists that answer, and a folder that is sound.
// Each is tried with each value in turn: nothing is random here.
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { ROUTES } from '../../src/management/app.ts';
import { METHODS } from '../support/amqp-methods.ts';
import type { RawConnection } from '../support/amqp-raw.ts';
import { encodeContent, encodeMethod, type Fields, type Frame } from '../support/amqp-wire.ts';
import { FuzzBroker } from './fuzz-broker.ts';
import { fieldsOf, type HttpStep, PREPARED, pathOf } from './http-cases.ts';
import { deleteAll, expectLists, restart, send } from './http-run.ts';
import { CODES } from './message-run.ts';
import { EVERY_ODD_JSON, ODD_SEGMENTS } from './odd-json.ts';
import { ODD_TEXTS, type Odd, shortOf, tableOf } from './values.ts';

const TIMEOUT_MS = 900_000;
/** Requests and connections under way at a time. */
const ABREAST = 8;

/** Methods that only a broker sends are tried as well: they are refused. */
const TRIED = Object.keys(METHODS).filter((name) => !/^connection\.(start|tune|open)/.test(name));

const ODD_TABLES: readonly Odd[] = [
  ['V'],
  ['t', true],
  ['l', '9223372036854775807'],
  ['l', '-1'],
  ['d', 'NaN'],
  ['S', { of: 'x', times: 300 }],
  ['S', { hex: 'eda080' }],
  ['x', { hex: '00ff' }],
  ['deep', 'A', 30],
  ['F', [['', ['V']]]],
  ['A', [['S', ''], ['V'], ['d', '1.5']]],
];
const TABLE_KEYS = [
  'x-dead-letter-exchange',
  'x-message-ttl',
  'alternate-exchange',
  'x-match',
  'x',
];

/** Odd values for a field of a method. */
function oddFields(type: string): unknown[] {
  if (type === 'bit') return [false, true];
  if (type === 'octet') return [0, 255];
  if (type === 'short') return [0, 1, 65_535];
  if (type === 'long') return [0, 1, 4_294_967_295];
  if (type === 'longlong') return [0n, 1n, 2n ** 63n - 1n, 2n ** 64n - 1n];
  if (type !== 'table') return ODD_TEXTS.map(shortOf);
  return TABLE_KEYS.flatMap((key) => ODD_TABLES.map((odd) => tableOf([[key, odd]])));
}

/** Sound values, so that a method with one odd field gets as far as it can. */
const SOUND: Fields = {
  exchange: 'odd-x',
  type: 'topic',
  durable: true,
  queue: 'odd-q',
  source: 'odd-x',
  destination: 'odd-x2',
  routingKey: 'odd-q',
  consumerTag: 'c',
  replyCode: 200,
};

interface Attempt {
  readonly name: string;
  readonly fields: Fields;
}

function attempts(): Attempt[] {
  return TRIED.flatMap((name) => {
    const fields = (METHODS[name]?.[2] ?? '').split(' ').filter((part) => part !== '');
    const known = fields.map((part) => part.split(':') as [string, string]);
    const sound = Object.fromEntries(known.map(([field]) => [field, SOUND[field]]));
    return known.flatMap(([field, type]) =>
      oddFields(type).map((odd) => ({ name, fields: { ...sound, [field]: odd } })),
    );
  });
}

/** Sends one method on a channel of its own; gives the connection as long as it can be used. */
async function attempt(
  broker: FuzzBroker,
  old: RawConnection | null,
  { name, fields }: Attempt,
): Promise<RawConnection | null> {
  const raw = old ?? (await broker.open());
  const channel = 2;
  await raw.openChannel(channel);
  const content = name === 'basic.publish' ? encodeContent(channel, { deliveryMode: 2 }, BODY) : '';
  const method = encodeMethod(/^connection/.test(name) ? 0 : channel, name, fields);
  raw.write(Buffer.concat([method, Buffer.from(content)]));
  raw.send(channel, 'basic.qos', { prefetchCount: 1 });
  let frame = await raw.next(channel);
  while (!ENDS.has(frame.name)) frame = await raw.next(channel);
  expectKnownCode(frame, name, fields);
  if (frame.name === 'basic.qos-ok') {
    await closeChannel(raw, channel);
    return raw;
  }
  if (frame.name === 'channel.close') {
    raw.send(channel, 'channel.close-ok');
    return raw;
  }
  raw.drop();
  return null;
}

const BODY = Buffer.from('odd');
const ENDS = new Set([
  'basic.qos-ok',
  'channel.close',
  'channel.close-ok',
  'connection.close',
  'connection.close-ok',
  'socket closed',
]);

function expectKnownCode(frame: Frame, name: string, fields: Fields): void {
  const code = frame['replyCode'];
  if (code !== undefined) expect(CODES, `${name} ${inspect(fields)}`).toContain(code);
}

async function closeChannel(raw: RawConnection, channel: number): Promise<void> {
  raw.send(channel, 'channel.close', { replyCode: 200 });
  let frame = await raw.next(channel);
  while (!/close/.test(frame.name)) frame = await raw.next(channel);
}

/** Runs `act` for each, some at a time. */
async function forEach<T>(all: readonly T[], act: (each: T) => Promise<void>): Promise<void> {
  const left = [...all].reverse();
  const work = async (): Promise<void> => {
    for (let each = left.pop(); each !== undefined; each = left.pop()) await act(each);
  };
  await Promise.all(Array.from({ length: ABREAST }, work));
}

/** Every route with each of its fields and each part of its path odd, and with a body that is none. */
function requests(): HttpStep[] {
  return ROUTES.flatMap((route) => {
    const { method, path } = route;
    const request = (url: string, body: string | null): HttpStep => {
      return { do: 'request', method, path: url, body, headers: {} };
    };
    const fields = fieldsOf(method, path) ?? {};
    const json = (all: Readonly<Record<string, string>>): string => {
      const text = Object.entries(all).map(([key, value]) => `${JSON.stringify(key)}:${value}`);
      return Buffer.from(`{${text.join()}}`).toString('latin1');
    };
    const sound = method === 'GET' ? null : json(fields);
    const bodies = Object.keys(fields).flatMap((key) =>
      EVERY_ODD_JSON.map((odd) => request(pathOf(path, null, 0), json({ ...fields, [key]: odd }))),
    );
    const parts = path.split('/').filter((part) => part.startsWith(':'));
    const paths = parts.flatMap((_, at) =>
      ODD_SEGMENTS.map((odd) => request(pathOf(path, odd, at), sound)),
    );
    return [...bodies, ...paths];
  });
}

test('after every method with odd values the broker starts, and its lists answer', {
  timeout: TIMEOUT_MS,
}, async () => {
  const broker = new FuzzBroker();
  try {
    await broker.start();
    for (const hard of [false, true]) {
      const raws = new Map<number, RawConnection | null>();
      let next = 0;
      const tried = attempts();
      await forEach(
        Array.from({ length: ABREAST }, (_, at) => at),
        async (at) => {
          while (next < tried.length) {
            const each = tried[next] as Attempt;
            next += 1;
            raws.set(at, await attempt(broker, raws.get(at) ?? null, each));
          }
        },
      );
      for (const raw of raws.values()) raw?.drop();
      broker.expectSound();
      await restart(broker, hard);
      await expectLists(broker);
    }
    await deleteAll(broker);
    await broker.closeAndCheck();
  } finally {
    await broker.dispose();
  }
});

test('after every route with odd values the broker starts, and its lists answer', {
  timeout: TIMEOUT_MS,
}, async () => {
  const broker = new FuzzBroker();
  try {
    await broker.start();
    for (const step of PREPARED) await send(broker, step);
    await forEach(requests(), (step) => send(broker, step));
    broker.expectSound();
    for (const hard of [false, true]) {
      await restart(broker, hard);
      await expectLists(broker);
    }
    await deleteAll(broker);
    await broker.closeAndCheck();
  } finally {
    await broker.dispose();
  }
});
