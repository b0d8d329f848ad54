// What is said of a vhost that could not be moved.

import { expect, test } from 'vitest';
import { arrived, faultText } from '../../../../src/boot/cluster/groups/places.ts';
import { SmallBroker } from '../../../broker/small-broker.ts';

/** What the cluster port takes as the head of a request, bytes. */
const HEAD_BYTES_MAX = 8 * 1024;

test('however long a fault is, a request can tell it, with the longest name of a vhost', () => {
  const fault = faultText('\u{20ac}'.repeat(100_000));
  const query = new URLSearchParams({ vhost: '\u{20ac}'.repeat(85), move: 'm1', fault });
  expect(query.toString().length).toBeLessThan(HEAD_BYTES_MAX - 1024);
});

test('a move that is not the one under way changes nothing; a fault calls the one off that is', () => {
  const { broker } = new SmallBroker();
  const moving = { to: 'jobs', id: 'm2' };
  const place = { group: 'main', since: 'm1', moving, fault: '' };
  broker.placeVhost('/', { place });
  expect(arrived(broker, '/', 'm1', '')).toBe(false);
  expect(arrived(broker, 'none', 'm2', '')).toBe(false);
  expect(broker.listed('/').metadata.place).toEqual(place);
  expect(arrived(broker, '/', 'm2', 'x'.repeat(1000))).toBe(true);
  expect(broker.listed('/').metadata.place).toEqual({
    ...place,
    moving: null,
    fault: 'x'.repeat(500),
  });
  expect(arrived(broker, '/', 'm2', '')).toBe(false);
});
