// Owns the test that bindings come and go at a cost that does not grow with their number, for each type of
// exchange: the deletion of a queue or exchange takes all of its bindings away in one turn.

import { expect, test } from 'vitest';
import type { Binding } from '../../../src/broker/exchange/binding.ts';
import type { ExchangeRouter } from '../../../src/broker/exchange/exchange-router.ts';
import { ConsistentHashRouter } from '../../../src/broker/exchange/types/consistent-hash.ts';
import { DirectRouter } from '../../../src/broker/exchange/types/direct.ts';
import { FanoutRouter } from '../../../src/broker/exchange/types/fanout.ts';
import { HeadersRouter } from '../../../src/broker/exchange/types/headers.ts';
import { ModulusHashRouter } from '../../../src/broker/exchange/types/modulus-hash.ts';
import { RandomRouter } from '../../../src/broker/exchange/types/random.ts';
import { TopicRouter } from '../../../src/broker/exchange/types/topic.ts';
import { bind, routed, withHeaders } from './support.ts';

const MANY = 100_000;
/** Where each binding looks through the others, it is far longer; else well below a second. */
const TIMEOUT_MS = 20_000;
const itself = (name: string): string => name;

const ROUTERS: Record<string, () => ExchangeRouter<string> & { readonly size: number }> = {
  direct: () => new DirectRouter(),
  fanout: () => new FanoutRouter(),
  topic: () => new TopicRouter(),
  headers: () => new HeadersRouter(),
  'x-consistent-hash': () => new ConsistentHashRouter(new Map(), itself),
  'x-modulus-hash': () => new ModulusHashRouter(itself),
  'x-random': () => new RandomRouter(() => 0.5),
};

const BINDINGS: Record<string, (i: number) => Binding<string>> = {
  'to as many queues': (i) => bind(`q${i}`, '7'),
  'to one queue': (i) => bind('q', String(i + 1)),
};

for (const [type, make] of Object.entries(ROUTERS)) {
  for (const [where, binding] of Object.entries(BINDINGS)) {
    test(
      `${MANY} bindings ${where} come to and leave an exchange of type ${type}`,
      () => {
        const router = make();
        const bindings = Array.from({ length: MANY }, (_, i) => binding(i));
        for (const each of bindings) router.add(each);
        expect(routed(router, '7', withHeaders(null)).length).toBeGreaterThan(0);
        for (const each of bindings) router.remove(each);
        expect(router.size).toBe(0);
      },
      TIMEOUT_MS,
    );
  }
}
