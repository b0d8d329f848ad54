// Owns the tests of faults amid settling, purging and committing: they leave the change under way, and a
// start shows the old state.

import { expect, test } from 'vitest';
import { encodeContentHeaderPayload } from '../../../src/amqp/properties.ts';
import { PROPERTY_FLAGS_OFFSET } from '../../../src/amqp/property-walk.ts';
import { WIRE_LIMITS } from '../../../src/amqp/table-limits.ts';
import { Consumer } from '../../../src/broker/queue/consumer.ts';
import type { TakenEntry } from '../../../src/broker/queue/messages/queue-entries.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import { SharedCredit } from '../../../src/broker/queue/waiting-line.ts';
import { MessageProperties } from '../../../src/broker/routing/message-properties.ts';
import type { Route } from '../../../src/broker/routing/route.ts';
import { MessageCounts } from '../../../src/broker/stats/counts.ts';
import { finish } from '../../../src/broker/turn/slices.ts';
import {
  buildRecord,
  FLAG_PERSISTENT,
  NO_EXPIRY,
  writeRecordHead,
} from '../../../src/message/record.ts';
import {
  AllUnfinishedBytes,
  UnfinishedBytes,
} from '../../../src/server/backpressure/unfinished-bytes.ts';
import { Channel } from '../../../src/server/channel/channel.ts';
import type { ChannelConnection } from '../../../src/server/channel/channel-connection.ts';
import { Deliveries } from '../../../src/server/channel/deliveries.ts';
import {
  type HeldPublish,
  SETTLE_ACK,
  SETTLE_REJECT,
  SETTLE_REQUEUE,
  type Transaction,
} from '../../../src/server/channel/publish/transaction.ts';
import { viewOf } from '../../../src/util/bytes.ts';
import { SimChannel, SimLink } from '../peers.ts';
import { purgeIn } from '../purge.ts';
import { lettersIn } from '../set-aside/damage.ts';
import { NOW_MS, SmallBroker } from '../small-broker.ts';
import { doneBy, faultyTurns, filledDisk, NONE, stateOf } from './faults.ts';

test('a fault as a queue is purged leaves the purge under way', () => {
  const { small, arm } = faultyTurns(filledDisk());
  arm(0);
  expect(doneBy(() => purgeIn(small.vhost, small.queue('old')))).toBe(false);
  expect(small.broker.core.line.underWay).toBe(true);
  expect(lettersIn(small.crashed(), 'old')).toBe('abc');
});

test('a fault as a message goes back to its queue leaves the requeue under way', () => {
  const { small, arm } = faultyTurns(filledDisk());
  const queue = small.queue('old');
  small.run();
  const { seq } = takeFrom(small, queue);
  small.run();
  arm(0);
  expect(doneBy(() => queue.requeue(seq))).toBe(false);
  expect(small.broker.core.line.underWay).toBe(true);
  expect(lettersIn(small.crashed(), 'old')).toBe('abc');
});

/** Settles a delivery, and fails as its credit is given back. */
class FaultyCredit extends SharedCredit {
  override giveBack(): void {
    throw new Error('a fault amid a change');
  }
}

const WAYS: Record<string, (deliveries: Deliveries) => void> = {
  acked: (deliveries) => deliveries.ack(1, false),
  'acked with others': (deliveries) => deliveries.ack(0, true),
  rejected: (deliveries) => deliveries.reject(1, false, SETTLE_REJECT),
  requeued: (deliveries) => deliveries.reject(1, false, SETTLE_REQUEUE),
  'taken back': (deliveries) => finish(deliveries.requeueAll()),
};

for (const [way, settle] of Object.entries(WAYS)) {
  test(`a fault once a delivery is ${way} leaves the settling under way`, () => {
    const small = new SmallBroker(filledDisk());
    const queue = small.queue('old');
    const credit = new FaultyCredit(small.broker.core.lines);
    const deliveries = new Deliveries(
      { counts: new MessageCounts(), transaction: null, credit, act: finish },
      small.broker.core.line,
    );
    const channel = new SimChannel(small.broker.core.lines, () => {});
    const consumer = new Consumer(queue, channel, 'tag', false, false, 0, NONE);
    const { seq } = takeFrom(small, queue);
    deliveries.unacked.add(queue, consumer, seq);
    expect(() => deliveries.ack(9, false)).toThrow('unknown delivery tag');
    expect(small.broker.core.line.underWay).toBe(false);
    expect(() => settle(deliveries)).toThrow('a fault amid a change');
    expect(small.broker.core.line.underWay).toBe(true);
    expect(lettersIn(small.crashed(), 'old')).toBe('abc');
  });
}

test('a fault at any step of a commit leaves it under way, and a start shows nothing of it', () => {
  const disk = filledDisk();
  const before = stateOf(new SmallBroker(disk));
  let faults = 0;
  for (;;) {
    const { small, arm } = faultyTurns(disk);
    small.run();
    const channel = channelOf(small);
    const transaction = channel.transaction as Transaction;
    for (const queue of ['old', 'other']) transaction.publishes.push(heldFor(small, queue));
    const { seq } = takeFrom(small, small.queue('old'));
    transaction.settle(channel.deliveries.unacked.add(small.queue('old'), null, seq), SETTLE_ACK);
    const outcome = { stored: false, refused: false };
    arm(faults);
    if (doneBy(() => finish(channel.committing(transaction, outcome)))) {
      expect(small.broker.core.line.underWay).toBe(false);
      break;
    }
    expect(small.broker.core.line.underWay, `after a fault at step ${faults}`).toBe(true);
    expect(stateOf(small.crashed())).toBe(before);
    faults += 1;
  }
  expect(faults).toBeGreaterThan(1);
});

/** A channel in transaction mode whose connection does nothing. */
function channelOf({ broker, vhost }: SmallBroker): Channel {
  const settings = { ...WIRE_LIMITS, maxMessageBytes: 1000, unackedMaxPerChannel: 0 };
  const outbox = new SimLink(broker.core.lines);
  const rest = { settings, outbox, grants: null, timeoutRules: { action: 'close' } };
  const connection = { core: broker.core, vhost, ...rest } as unknown as ChannelConnection;
  const channel = new Channel(
    1,
    connection,
    new UnfinishedBytes(new AllUnfinishedBytes(broker.core)),
  );
  channel.selectTransactions(1000);
  return channel;
}

function heldFor({ vhost }: SmallBroker, queue: string): HeldPublish {
  const body = Buffer.from('body');
  const payload = encodeContentHeaderPayload(body.length, { deliveryMode: 2 });
  const bytes = buildRecord('', queue, payload, body);
  writeRecordHead(viewOf(bytes), 0, FLAG_PERSISTENT, 0, NOW_MS, NO_EXPIRY);
  const message = new MessageProperties().read(payload, PROPERTY_FLAGS_OFFSET);
  const route = vhost.router.route('', queue, message) as Route;
  const end = bytes.length;
  const rest = { bodyBytes: body.length, route, mandatory: false, flags: 0, acks: null };
  return { bytes, parts: null, end, ...rest };
}

/** The next message of a queue, once the disk knows that it may go out. */
function takeFrom(small: SmallBroker, queue: Queue): TakenEntry {
  for (;;) {
    const entry = queue.take();
    if (entry !== null) return entry;
    small.commit();
  }
}
