// Owns the tests of which bindings lead to a destination.

import { expect, test } from 'vitest';
import { BindingsByDestination } from '../../../src/broker/exchange/bindings-by-destination.ts';
import { Exchange } from '../../../src/broker/exchange/exchange.ts';

function exchange(name: string): Exchange {
  const declaration = { name, type: 'direct', durable: false, autoDelete: false, internal: false };
  return new Exchange({ ...declaration, arguments: new Map() });
}

test('a destination takes all its bindings along in one pass, and those of no other', () => {
  const sources = new BindingsByDestination();
  const [one, two, gone, stays] = ['one', 'two', 'gone', 'stays'].map(exchange) as [
    Exchange,
    Exchange,
    Exchange,
    Exchange,
  ];
  for (let i = 0; i < 50; i++) sources.add(gone, one, `k${i}`);
  sources.add(gone, two, 'only');
  sources.add(stays, one, 'kept');
  const seen: string[] = [];
  for (const { source, identity } of sources.bindingsTo(gone)) {
    seen.push(`${source.name} ${identity}`);
    sources.remove(gone, source, identity);
  }
  expect(seen).toEqual([...Array.from({ length: 50 }, (_, i) => `one k${i}`), 'two only']);
  expect([...sources.bindingsTo(gone)]).toEqual([]);
  expect([...sources.bindingsTo(stays)]).toEqual([{ source: one, identity: 'kept' }]);
  expect(sources.count(gone)).toBe(0);
});
