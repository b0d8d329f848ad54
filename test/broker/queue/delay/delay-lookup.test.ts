// Owns the tests of looking at messages that wait, and of sending or dropping them before their time.

import { describe, expect, test } from 'vitest';
import { ALL_RIGHTS } from '../../../../src/broker/access/grants.ts';
import { DelayedActor } from '../../../../src/broker/view/delayed/delayed.ts';
import { TABLE_DELAYS } from '../../../../src/store/tables.ts';
import { withSeed } from '../../../amqp/random.ts';
import { wrongReferences } from '../../inspect.ts';
import { NOW_MS, SmallBroker } from '../../small-broker.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function delayed(small: SmallBroker, body: string, delayMs: number, stored = true): void {
  const headers = new Map([['x-delay', { type: 'l', value: delayMs } as const]]);
  const properties = { headers, ...(stored ? { deliveryMode: 2 } : {}) };
  small.publish({ routingKey: 'q', properties }, Buffer.from(body));
}

function fewInMemory(): SmallBroker {
  const small = new SmallBroker();
  small.broker.core.delayRows.bounds = {
    heapMax: 40,
    heapKept: 10,
    awayMin: 30,
    openMax: 20,
    openPages: 1,
  };
  small.declare('q');
  return small;
}

function actorOf(small: SmallBroker): DelayedActor {
  return new DelayedActor(small.broker, small.vhost.as(ALL_RIGHTS, small));
}

/** The payloads that a list shows, page by page. */
function listed(small: SmallBroker, count: number, pages = 1): (string | undefined)[] {
  const actor = actorOf(small);
  const request = { count, encoding: 'auto', truncate: 100 } as const;
  const found: (string | undefined)[] = [];
  let after = null;
  for (let n = 0; n < pages; n++) {
    const page = actor.list('q', { ...request, after });
    found.push(...page.messages.map(({ payload }) => payload));
    after = page.next;
    if (after === null) break;
  }
  return found;
}

describe('what waits', () => {
  test('is listed in the order of its times, wherever it lies and however it is asked for', () => {
    withSeed((random) => {
      const small = fewInMemory();
      const times: { readonly body: string; readonly ms: number }[] = [];
      for (let n = 0; n < 300; n++) {
        const ms = 1_000 + random.below([10, HOUR, 40 * DAY][n % 3] as number);
        times.push({ body: `${n}`, ms });
        delayed(small, `${n}`, ms, n % 4 > 0);
        if (n % 50 === 0) small.commit();
      }
      const order = times.sort((a, b) => a.ms - b.ms || Number(a.body) - Number(b.body));
      const bodies = order.map(({ body }) => body);
      expect(listed(small, 1000)).toEqual(bodies);
      expect(listed(small, 7)).toEqual(bodies.slice(0, 7));
      expect(listed(small, 9, 100)).toEqual(bodies);
      small.commit();
      expect(listed(small, 50)).toEqual(bodies.slice(0, 50));
      expect(small.queue('q').delays.count).toBe(300);
    });
  });

  test('is shown with an id, the time of day at which it is due, and how often it came back', () => {
    const small = new SmallBroker();
    const retry = { 'x-delayed-retry-min': { type: 'I', value: 5_000 } } as const;
    const queue = small.declare('q', true, retry);
    delayed(small, 'x', 3_000);
    small.publish({ routingKey: 'q' }, Buffer.from('tried'));
    small.jumpedMs += HOUR;
    small.pass(0);
    queue.requeue(queue.get()?.seq ?? -1);
    const { messages } = actorOf(small).list('q', {
      ...{ after: null, count: 10, encoding: 'auto', truncate: 2 },
    });
    const at = NOW_MS + HOUR;
    expect(messages).toMatchObject([
      { id: `${NOW_MS + 3_000}-1`, due_at: at + 3_000, returns: 0, redelivered: false },
      { id: `${NOW_MS + 5_000}-2`, due_at: at + 5_000, returns: 1, redelivered: true },
    ]);
    expect(messages[1]).toMatchObject({ payload: 'tr', payload_bytes: 5, truncated: true });
  });

  test('is listed without what cannot be read of it, and a message without its content can be dropped', () => {
    const small = fewInMemory();
    for (let n = 0; n < 120; n++) delayed(small, `${n}`, HOUR + n * DAY);
    small.commit();
    // A page of the store: its messages are passed over.
    const [key] = small.disk.keys(TABLE_DELAYS).slice(-1) as [Buffer];
    small.disk.table(TABLE_DELAYS).put(key, Buffer.alloc(50, 1));
    const left = listed(small, 1000);
    expect(left.length).toBeLessThan(120);
    expect(left.length).toBeGreaterThan(50);
    // A record of the log: it has a place, and no content.
    const { waiting } = small.queue('q').delays;
    const first = waiting?.soonest(1, null).entries[0];
    const { log } = small.broker.core;
    const { read } = log;
    log.read = (position) => {
      if (position === first?.position) throw new Error('the record is damaged');
      return read.call(log, position);
    };
    const request = { after: null, count: 3, encoding: 'auto', truncate: 10 } as const;
    const [damaged, next] = actorOf(small).list('q', request).messages;
    expect(damaged).toMatchObject({ error: 'the record is damaged', payload_bytes: 1 });
    expect(damaged).not.toHaveProperty('payload');
    expect(next).toMatchObject({ payload: '1' });
    expect(actorOf(small).handle('q', 'drop', damaged?.id ?? '')).toBe(true);
    expect(actorOf(small).list('q', request).messages[0]).toMatchObject({ payload: '1' });
  });

  test('is looked at in part, and said so, where very much waits for the same time', () => {
    const small = fewInMemory();
    for (let n = 0; n < 400; n++) {
      delayed(small, `${n}`, 40 * DAY);
      if (n % 30 === 29) small.commit();
    }
    const { waiting } = small.queue('q').delays;
    expect(waiting?.soonest(1000, null).exact).toBe(true);
    for (const bucket of waiting?.buckets.all() ?? []) {
      const [page] = bucket.pages;
      while (bucket.pages.length < 257) bucket.pages.push(page as (typeof bucket.pages)[0]);
    }
    expect(waiting?.soonest(1000, null).exact).toBe(false);
  });
});

describe('what waits can be', () => {
  test('sent or dropped one by one, in memory and on the disk, once, and a crash does not bring it back', () => {
    for (const action of ['send', 'drop'] as const) {
      const small = fewInMemory();
      for (let n = 0; n < 200; n++) delayed(small, `${n}`, 1_000 + n * HOUR);
      small.commit();
      const queue = small.queue('q');
      const actor = actorOf(small);
      for (const n of [3, 150, 199]) {
        const id = `${NOW_MS + 1_000 + n * HOUR}-${n + 1}`;
        expect(actor.handle('q', action, id)).toBe(true);
        expect(actor.handle('q', action, id), 'it is not there any more').toBe(false);
      }
      const others = ['', 'x', '1-', '-1', `${NOW_MS}-5`, `${NOW_MS + 1_000 + HOUR}-1`, '1e3-2'];
      for (const id of others) expect(actor.handle('q', action, id), id).toBe(false);
      expect(small.readyNow(queue)).toEqual(action === 'send' ? ['3', '150', '199'] : []);
      expect(wrongReferences(small.broker, [queue])).toBeNull();
      small.commit();
      const again = small.crashed();
      expect(again.queue('q').delays.count).toBe(197);
      expect(again.readyNow(again.queue('q'))).toEqual([]);
      expect(wrongReferences(again.broker, [again.queue('q')])).toBeNull();
    }
  });

  test('dropped without taking back that it was published', () => {
    const small = fewInMemory();
    for (let n = 0; n < 100; n++) delayed(small, `${n}`, 1_000 + n * HOUR);
    small.commit();
    const actor = actorOf(small);
    const { delays, messages } = small.queue('q');
    const published = (): number => messages.pushedCount + delays.neverReady;
    expect(published()).toBe(100);
    actor.handle('q', 'send', `${NOW_MS + 1_000}-1`);
    actor.handle('q', 'drop', `${NOW_MS + 1_000 + HOUR}-2`);
    expect(published()).toBe(100);
    expect(actor.handleAll('q', 'drop')).toBe(98);
    expect(published()).toBe(100);
    expect(delays.count).toBe(0);
  });

  test('sent all at once, also those whose time is near while very many are on their way', () => {
    // Spans that are opened amid it as they are, and one that is divided first.
    for (const apartMs of [2 * HOUR, 1_000]) {
      for (const most of [7, 4096]) {
        const small = fewInMemory();
        const queue = small.queue('q');
        for (let n = 0; n < 400; n++) delayed(small, `${n}`, 2 * DAY + (n % 40) * apartMs);
        small.commit();
        expect(actorOf(small).handleAll('q', 'send')).toBe(400);
        small.nowMs = (queue.delays.waiting?.buckets.horizonMs ?? 0) - 200;
        small.broker.core.tick();
        for (let n = 0; n < 401 && queue.delays.promote(most); n++) small.commit();
        expect(queue.delays.count, `${apartMs} ${most}`).toBe(0);
        expect(queue.readyCount).toBe(400);
        expect(new Set(small.readyNow(queue)).size).toBe(400);
        expect(wrongReferences(small.broker, [queue])).toBeNull();
      }
    }
  });
});
