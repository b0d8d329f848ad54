// Owns a random proof for queues that deliver after the commit: whatever any consumer has seen of a fan-out, through dead
// letters too, all its queues have had or still have after a loss of power at any moment.

import { expect, test } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import { Consumer } from '../../../src/broker/queue/consumer.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import { type Random, withSeed } from '../../amqp/random.ts';
import { SimChannel } from '../peers.ts';
import { SmallBroker } from '../small-broker.ts';

const int = (value: number): Field => ({ type: 'I', value });
const text = (value: string): Field => ({ type: 'S', value });
const NONE = new Map<string, Field>();
const LETTERS = { 'x-dead-letter-exchange': text('') };

/** The queues of the fan-out, each with what else it goes by. What leaves the last ones unseen is a dead letter elsewhere. */
const KEEPING: Record<string, Record<string, Field>> = {
  plain: {},
  priorities: { 'x-max-priority': int(3) },
  groups: { 'x-group-header': text('g') },
  quorum: { 'x-queue-type': text('quorum') },
  retrying: { 'x-delayed-retry-min': int(5) },
  unique: { 'x-message-deduplication': { type: 't', value: true } },
};
const DROPPING: Record<string, Record<string, Field>> = {
  short: { 'x-max-length': int(2), ...LETTERS },
  refusing: { 'x-max-length': int(1), 'x-overflow': text('reject-publish-dlx'), ...LETTERS },
  expiring: { 'x-message-ttl': int(3), ...LETTERS },
};

interface Held {
  readonly queue: Queue;
  readonly consumer: Consumer;
  readonly seq: number;
}

class Proof {
  readonly random: Random;
  small = new SmallBroker();
  /** What some consumer was given, and what the consumers of each queue were. */
  readonly seen = new Set<string>();
  readonly seenOf = new Map<string, Set<string>>();
  held: Held[] = [];
  sent = 0;
  crashes = 0;

  constructor(random: Random) {
    this.random = random;
    const { small } = this;
    for (const [name, args] of Object.entries({ ...KEEPING, ...DROPPING })) {
      const after: Field = { type: 't', value: true };
      const dead = `dead.${name}`;
      if (name in DROPPING) small.declare(dead);
      const letters = { 'x-dead-letter-routing-key': text(dead) };
      const own = name in DROPPING ? { ...args, ...letters } : args;
      const queue = small.declare(name, true, { ...own, 'x-deliver-after-commit': after });
      small.vhost.bindings.bind(small.vhost.exchange('amq.fanout'), queue, '', new Map());
    }
    small.commit();
    this.subscribe();
  }

  /** All queues but some have a consumer each, with acks or without. */
  private subscribe(): void {
    const { small, random } = this;
    this.held = [];
    for (const queue of small.vhost.queues.values()) {
      if (queue.isStream || random.below(5) === 0) continue;
      const noAck = random.below(3) === 0;
      const channel = new SimChannel(small.broker.core.lines, (_c, consumer, _q, seq, position) => {
        this.note(queue, position);
        if (!noAck) this.held.push({ queue, consumer, seq });
      });
      queue.addConsumer(new Consumer(queue, channel, 'tag', noAck, false, random.below(4), NONE));
    }
  }

  private note(queue: Queue, position: number): void {
    const body = this.small.bodyAt(position);
    this.seen.add(body);
    const own = this.seenOf.get(queue.name) ?? new Set();
    this.seenOf.set(queue.name, own.add(body));
  }

  step(): void {
    const { small, random } = this;
    const dice = random.below(20);
    if (dice < 7) this.publish();
    else if (dice < 11) small.broker.core.deliver();
    else if (dice < 13) small.broker.core.seal();
    else if (dice < 14) small.store.sync(1);
    else if (dice < 16) this.settle();
    else if (dice < 17) this.get();
    else if (dice < 18) {
      small.nowMs += random.below(6);
      small.broker.core.tick();
    } else if (random.below(6) === 0) this.crash();
    else small.store.sync();
  }

  private publish(): void {
    const { small, random } = this;
    this.sent += 1;
    const headers = new Map([
      ['g', text(`${random.below(3)}`)],
      ['x-deduplication-header', int(this.sent)],
    ]);
    const properties = { deliveryMode: 2, priority: random.below(4), headers };
    small.publish(
      { exchange: 'amq.fanout', routingKey: '', properties },
      Buffer.from(`m${this.sent}`),
    );
  }

  private settle(): void {
    const { held, random } = this;
    if (held.length === 0) return;
    const [{ queue, consumer, seq }] = held.splice(random.below(held.length), 1) as [Held];
    consumer.unacked -= 1;
    if (random.below(3) > 0) queue.settle(seq);
    else if (random.bool()) queue.requeue(seq, true);
    else queue.settle(seq);
    queue.wake();
  }

  private get(): void {
    const { small, random } = this;
    const queue = small.queue(random.pick(Object.keys(KEEPING)));
    const entry = queue.get(true);
    if (entry === null) return;
    this.note(queue, entry.position);
    queue.settleGet(entry.seq);
  }

  /** The power goes, and all is compared with what was seen before. */
  crash(): void {
    this.crashes += 1;
    this.small = this.small.crashed();
    const { small } = this;
    for (const name of Object.keys(KEEPING)) {
      const there = new Set(this.seenOf.get(name));
      const queue = small.queue(name);
      for (let cursor = 0; cursor >= 0; ) {
        cursor = queue.visitPage(cursor, (position) => there.add(small.bodyAt(position)));
      }
      const missing = [...this.seen].filter((body) => !there.has(body));
      expect(missing, `seen elsewhere, and not in ${name}`).toEqual([]);
    }
    this.subscribe();
  }
}

test('what any consumer of a fan-out has seen, all its queues have had or have, whenever the power goes', () => {
  withSeed((random) => {
    let seen = 0;
    for (let run = 0; run < 4; run++) {
      const proof = new Proof(random);
      for (let n = 0; n < 500; n++) proof.step();
      proof.crash();
      seen += proof.seen.size;
    }
    expect(seen).toBeGreaterThan(50);
  });
});
