// A fixture for node:test: `await useBroker(t)` gives a test its own broker and connection, which end with it.

import { connect } from 'amqplib';
import { startBroker } from 'leveret';

export async function useBroker(t, options) {
  const broker = await startBroker(options);
  t.after(() => broker.close());
  const connection = await connect(broker.url, { noDelay: true });
  connection.on('error', () => {});
  return { broker, connection };
}
