// A fixture for jest: call it once in a file, and each test finds its own broker and connection in what it returns.

import { afterEach, beforeEach } from '@jest/globals';
import { connect } from 'amqplib';
import { startBroker } from 'leveret';

export function useBroker(options) {
  const bench = {};
  beforeEach(async () => {
    bench.broker = await startBroker(options);
    bench.connection = await connect(bench.broker.url, { noDelay: true });
    bench.connection.on('error', () => {});
  });
  afterEach(() => bench.broker?.close());
  return bench;
}
