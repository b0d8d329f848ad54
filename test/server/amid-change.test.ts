// Owns the tests of a server in which something fails amid a change: it has to end, and answers nothing.

import { expect, test } from 'vitest';
import type { RawConnection } from '../support/amqp-raw.ts';
import { useServers } from './support.ts';

const start = useServers();

const CHANGES: Record<string, (raw: RawConnection) => void> = {
  'declaring an exchange': (raw) =>
    raw.send(1, 'exchange.declare', { exchange: 'new', type: 'direct' }),
  'deleting an exchange': (raw) => raw.send(1, 'exchange.delete', { exchange: 'old' }),
  'binding a queue': (raw) =>
    raw.send(1, 'queue.bind', { queue: 'old', exchange: 'old', routingKey: 'new' }),
  'unbinding a queue': (raw) =>
    raw.send(1, 'queue.unbind', { queue: 'old', exchange: 'old', routingKey: 'key' }),
  'declaring a queue': (raw) => raw.send(1, 'queue.declare', { queue: 'new' }),
  'deleting a queue': (raw) => raw.send(1, 'queue.delete', { queue: 'old' }),
};

for (const [name, ask] of Object.entries(CHANGES)) {
  test(`${name}: a fault amid it is one that the broker ends over`, async () => {
    const broker = await start();
    const { server } = broker;
    const raw = await broker.open();
    await raw.call(1, 'queue.declare', { queue: 'old' });
    await raw.call(1, 'exchange.declare', { exchange: 'old', type: 'direct' });
    await raw.call(1, 'queue.bind', { queue: 'old', exchange: 'old', routingKey: 'key' });
    const fatal = new Promise<Error>((resolve) => {
      server.onFatal = resolve;
    });
    server.broker.changes.listener = () => {
      throw new Error('a fault amid a change');
    };
    ask(raw);
    expect((await fatal).message).toBe('a fault amid a change');
    server.broker.changes.listener = null;
  });
}
