// Numbers in the answers of the HTTP API: clients in Go and Java decode counts and sizes into integers,
// and fail on a fraction or an exponent. Runs against another broker too.

import { type ChannelModel, connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROUTES } from '../../src/management/app.ts';
import { type Api, isOracle, startApi, until } from './support.ts';

let api: Api;
let connection: ChannelModel;
const names = new Map<string, string>();

/** What is a part or a mean by its meaning. */
const FRACTIONS = /^(rate|avg|.*_rate|.*_avg_time|consumer_(utilisation|capacity))$/;

const QUEUE = 'whole-numbers';
const rowsOf = async (path: string) =>
  (await api.call('GET', path)).json as { name: string; user?: string }[];

beforeAll(async () => {
  // A third of memory is no whole number of bytes, whatever the machine has.
  api = await startApi({ memoryWatermark: 1 / 3, diskFreeLimitRelative: 1 / 3 });
  connection = await connect(api.amqpUrl, { clientProperties: { connection_name: QUEUE } });
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(QUEUE, { maxPriority: 2 });
  await channel.bindQueue(QUEUE, 'amq.direct', 'k');
  await channel.prefetch(2);
  const two = new Promise<void>((resolve) => {
    let count = 0;
    channel.consume(QUEUE, () => void (++count === 2 && resolve()));
  });
  for (let n = 0; n < 7; n++) channel.publish('amq.direct', 'k', Buffer.from('body'));
  await channel.waitForConfirms();
  await two;
  await until(async () => (await rowsOf('/connections')).length > 0);
  names.set(':vhost', '%2F').set(':user', 'guest').set(':port', '5672').set(':protocol', 'amqp');
  names.set('/nodes', (await rowsOf('/nodes'))[0]?.name ?? '');
  names.set('/exchanges', 'amq.direct').set('/queues', QUEUE);
  names.set('/connections', (await rowsOf('/connections'))[0]?.name ?? '');
  await until(async () => (await rowsOf('/channels')).length > 0);
  names.set('/channels', (await rowsOf('/channels'))[0]?.name ?? '');
});
afterAll(async () => {
  if (isOracle) await api.call('DELETE', `/queues/%2F/${QUEUE}`);
  await connection.close();
  await api.close();
});

/** The path of a route with names of what is there; routes about other things are asked for them all the same. */
function filled(path: string): string {
  const own = names.get(/^\/[a-z-]+/.exec(path)?.[0] ?? '') ?? 'none';
  return path.replace(/:[a-z]+/g, (each) => names.get(each) ?? encodeURIComponent(own));
}

test('no answer has a fraction or an exponent where a count or a size is', async () => {
  let answered = 0;
  for (const { method, path } of ROUTES) {
    if (method !== 'GET') continue;
    const { status, text } = await api.call('GET', filled(path));
    if (status !== 200) continue;
    answered++;
    for (const [, key = '', number = ''] of text.matchAll(/"([^"\\]*)":(-?\d[\d.eE+-]*)/g)) {
      if (FRACTIONS.test(key)) continue;
      expect([path, key, number]).toEqual([path, key, expect.stringMatching(/^-?\d{1,19}$/)]);
    }
  }
  expect(answered).toBeGreaterThan(isOracle ? 40 : 60);
});
