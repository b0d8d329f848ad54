import { expect, test } from 'vitest';
import { MessageCounts } from '../../../src/broker/stats/counts.ts';
import { Rates, valuesOf } from '../../../src/broker/stats/rates.ts';

test('a rate is how much a count grew between two samples', () => {
  const rates = new Rates();
  const counts = new MessageCounts();
  counts.published = 100;
  counts.delivered = 40;
  counts.got = 2;
  rates.take(counts, valuesOf(counts), 1000);
  expect(rates.view(counts)).toMatchObject({ publish: 100, publish_details: { rate: 0 } });
  counts.published = 150;
  counts.delivered = 45;
  rates.take(counts, valuesOf(counts), 3000);
  expect(rates.view(counts)).toMatchObject({
    publish: 150,
    publish_details: { rate: 25 },
    deliver: 45,
    deliver_details: { rate: 2.5 },
    get: 2,
    get_details: { rate: 0 },
    deliver_get: 47,
    deliver_get_details: { rate: 2.5 },
    redeliver: 0,
    return_unroutable: 0,
  });
  expect(rates.view(counts, counts, 'queues')).not.toHaveProperty('return_unroutable');
});

test('what never moved has no counts, and what moves no more is idle', () => {
  const rates = new Rates();
  const counts = new MessageCounts();
  expect(rates.view(counts)).toEqual({});
  const sample = (second: number): void => {
    rates.wallMs = Date.UTC(2026, 0, 1, 0, 0, second);
    rates.take(counts, valuesOf(counts), 1000 * second);
  };
  sample(1);
  counts.published = 1;
  sample(2);
  expect(rates.idleSince(counts)).toBeNull();
  sample(3);
  sample(4);
  expect(rates.idleSince(counts)).toBe('2026-01-01T00:00:03.000+00:00');
  counts.published = 2;
  sample(5);
  expect(rates.idleSince(counts)).toBeNull();
});

test('two samples at the same time make no rate', () => {
  const rates = new Rates();
  const key = {};
  rates.take(key, [1], 5);
  rates.take(key, [9], 5);
  expect(rates.of(key, 0)).toEqual({ rate: 0 });
  expect(rates.of({}, 0)).toEqual({ rate: 0 });
});
