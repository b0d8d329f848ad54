// Owns the test of what a list of queues costs for the connections that exclusive queues belong to.

import { expect, test } from 'vitest';
import { useServers } from '../support.ts';

const start = useServers();

test('the owner of an exclusive queue is told without a look at what its client said of itself', async () => {
  const server = await start();
  const raw = await server.open();
  await raw.call(1, 'queue.declare', { queue: 'mine', exclusive: true });
  const [connection] = server.server.openConnections;
  if (connection === undefined) throw new Error('there is no connection');
  const { facts, name } = connection;
  let looks = 0;
  const { clientProperties } = facts;
  Object.defineProperty(facts, 'clientProperties', {
    get: () => {
      looks += 1;
      return clientProperties;
    },
  });
  const owner = server.server.view.ownerOf(connection);
  expect(owner).toEqual({ name, peer_host: facts.peerHost, peer_port: facts.peerPort });
  expect(looks).toBe(0);
});
