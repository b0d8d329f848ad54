// A fixture for vitest: each test that names `broker` or `connection` gets its own, which end with it.

import { connect } from 'amqplib';
import { startBroker } from 'leveret';
import { test as base } from 'vitest';

export const test = base.extend({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads which fixtures this one needs from the pattern.
  broker: async ({}, use) => {
    const broker = await startBroker();
    await use(broker);
    await broker.close();
  },
  connection: async ({ broker }, use) => {
    const connection = await connect(broker.url, { noDelay: true });
    connection.on('error', () => {});
    await use(connection);
  },
});
