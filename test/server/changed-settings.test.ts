// Owns the tests of from when a setting that changes while the broker runs holds for its clients.

import { expect, test } from 'vitest';
import type { ServerSettings } from '../../src/server/settings.ts';
import { type TestServer, useServers } from './support.ts';

const start = useServers();

function change({ server }: TestServer, settings: Partial<ServerSettings>): void {
  Object.assign(server.settings, settings);
  server.settingsChanged();
}

const headers = { headers: { a: 1, b: 2 } };

test('how large headers may be changes for new channels', async () => {
  const server = await start();
  const raw = await server.open();
  await raw.call(1, 'queue.declare', { queue: 'told', exclusive: true });
  change(server, { tableEntriesMax: 1 });
  raw.publish(1, { routingKey: 'told' }, headers, Buffer.from('x'));
  raw.send(1, 'basic.get', { queue: 'told', noAck: true });
  await raw.message(1);
  await raw.openChannel(2);
  raw.publish(2, { routingKey: 'told' }, headers, Buffer.from('x'));
  expect(await raw.next(0)).toMatchObject({ name: 'connection.close', replyCode: 502 });
});

test('what a connection may hold changes for new connections, with the largest message', async () => {
  const mb = 1_000_000;
  const server = await start({ maxMessageBytes: mb, unfinishedMaxBytes: mb });
  const before = server.server.watches.newHoldings();
  change(server, { maxMessageBytes: 8 * mb });
  const after = server.server.watches.newHoldings();
  expect(() => before.takeContent(3 * mb)).toThrow('unfinished_max_per_connection');
  after.takeContent(3 * mb);
  for (const each of [before, after]) each.giveContent(3 * mb);
});
