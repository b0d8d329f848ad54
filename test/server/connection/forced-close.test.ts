// Owns the tests of connections that are closed many at once: those of a vhost or user that is deleted.

import { expect, test } from 'vitest';
import { eventually } from '../../support/amqp.ts';
import type { RawConnection } from '../../support/amqp-raw.ts';
import { CreepingClock, holdActs } from '../creeping.ts';
import { publication } from '../scripted.ts';
import { type TestServer, useServers } from '../support.ts';

const start = useServers();
const COUNT = 120;

interface Scene {
  readonly clock: CreepingClock;
  readonly broker: TestServer;
  readonly raws: readonly RawConnection[];
}

/** Many connections to one vhost, with a queue. */
async function open(): Promise<Scene> {
  const clock = new CreepingClock();
  const broker = await start({ heartbeatSeconds: 0 }, clock);
  const raws: RawConnection[] = [];
  for (let n = 0; n < COUNT; n++) raws.push(await broker.open());
  await raws[0]?.call(1, 'queue.declare', { queue: 'q' });
  clock.creeps = true;
  return { clock, broker, raws };
}

function force({ server }: TestServer): void {
  server.connectionsForced(server.broker.vhost('/'), 'the test says so');
}

async function expectClosed(raw: RawConnection): Promise<void> {
  const close = await raw.next(0);
  expect([close.name, close['replyCode']]).toEqual(['connection.close', 320]);
  expect(close['replyText']).toContain('the test says so');
  raw.send(0, 'connection.close-ok');
  await raw.untilClosed();
}

test('many connections are closed in steps, and each is told', async () => {
  const { broker, raws, clock } = await open();
  const goOn = holdActs(broker);
  force(broker);
  expect(broker.server.broker.core.slices.any, 'others have their turn in between').toBe(true);
  goOn();
  await Promise.all(raws.map(expectClosed));
  clock.creeps = false;
  await eventually(() => broker.connectionCount === 0, 'the end of all');
});

test('from the first step on none of them is acted upon', async () => {
  const { broker, raws, clock } = await open();
  const goOn = holdActs(broker);
  force(broker);
  const queue = broker.server.broker.vhost('/').queues.get('q');
  for (const raw of raws) raw.write(publication(1, { routingKey: 'q' }, {}, Buffer.from('late')));
  goOn();
  await Promise.all(raws.map(expectClosed));
  clock.creeps = false;
  expect(queue?.readyCount).toBe(0);
});

test('a connection that closes itself before it is told is answered, and one that hangs up is gone', async () => {
  const { broker, raws, clock } = await open();
  const goOn = holdActs(broker);
  force(broker);
  const [closes, hangsUp] = raws.slice(-2) as [RawConnection, RawConnection];
  closes.send(0, 'connection.close', { replyCode: 200, replyText: 'bye' });
  hangsUp.socket.destroy();
  expect((await closes.next(0)).name).toBe('connection.close-ok');
  goOn();
  await Promise.all(raws.slice(0, -2).map(expectClosed));
  await expectClosed(closes);
  await hangsUp.untilClosed();
  clock.creeps = false;
  await eventually(() => broker.connectionCount === 0, 'the end of all');
});
