// Owns the tests of auto-delete exchanges that go with one another.

import { expect, test } from 'vitest';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import { SmallBroker } from '../small-broker.ts';

const declaration = { type: 'fanout', durable: false, autoDelete: true, internal: false };

function chain(small: SmallBroker, length: number): void {
  const { vhost } = small;
  for (let i = 0; i < length; i++) {
    vhost.as(ALL_RIGHTS).declareExchange({ name: `e${i}`, ...declaration, arguments: new Map() });
    if (i > 0)
      vhost.bindings.bind(vhost.exchange(`e${i - 1}`), vhost.exchange(`e${i}`), '', new Map());
  }
  const last = vhost.exchange(`e${length - 1}`);
  vhost.bindings.bind(last, small.declare('q'), '', new Map());
}

const left = (small: SmallBroker): string[] =>
  [...small.vhost.exchanges.keys()].filter((name) => name.startsWith('e'));

test('20,000 auto-delete exchanges in a chain go with the queue at its end', () => {
  const small = new SmallBroker();
  chain(small, 20_000);
  small.vhost.removeQueue(small.queue('q'));
  expect(left(small)).toEqual([]);
});

test('auto-delete exchanges that are bound to one another in a circle go when one of them is deleted', () => {
  const small = new SmallBroker();
  const { vhost } = small;
  chain(small, 3);
  vhost.bindings.bind(vhost.exchange('e2'), vhost.exchange('e0'), '', new Map());
  vhost.bindings.unbind(vhost.exchange('e2'), small.queue('q'), '', new Map());
  expect(left(small)).toEqual(['e0', 'e1', 'e2']);
  vhost.as(ALL_RIGHTS).deleteExchange('e1', false);
  expect(left(small)).toEqual([]);
});

test('an exchange with another binding stays, and with it what leads to it', () => {
  const small = new SmallBroker();
  const { vhost } = small;
  chain(small, 3);
  vhost.bindings.bind(vhost.exchange('e1'), small.declare('other'), '', new Map());
  vhost.removeQueue(small.queue('q'));
  expect(left(small)).toEqual(['e0', 'e1']);
});
