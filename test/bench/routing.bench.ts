// Owns the benches of routing: topic with 10,000 bindings beside direct with as many.
// Never goes through a channel or a queue: see the benches of the broker for those.

import type { FieldTable } from '../../src/amqp/field-table.ts';
import type { ExchangeRouter, RoutedMessage } from '../../src/broker/exchange/exchange-router.ts';
import { MatchSet } from '../../src/broker/exchange/match-set.ts';
import { DirectRouter } from '../../src/broker/exchange/types/direct.ts';
import { FanoutRouter } from '../../src/broker/exchange/types/fanout.ts';
import { TopicRouter } from '../../src/broker/exchange/types/topic.ts';
import type { Visitable } from '../../src/util/visit-mark.ts';
import { type Bench, keep, type Run } from './kit.ts';

const BINDINGS = 10_000;
const NO_ARGUMENTS: FieldTable = new Map();
const message: RoutedMessage = { header: () => null, property: () => null };

/** Keys of five words, such as `region3.site41.line2.sensor77.temp5`, all different. */
function fiveWordKeys(count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const words = [
      `region${i % 10}`,
      `site${i % 97}`,
      `line${i % 7}`,
      `sensor${i}`,
      `temp${i % 5}`,
    ];
    return words.join('.');
  });
}

/** Every tenth key with a word turned into `*`, every tenth with its last words turned into `#`. */
function withWildcards(key: string, i: number): string {
  const words = key.split('.');
  if (i % 10 === 0) words[1 + (i % 3)] = '*';
  else if (i % 10 === 1) words.splice(4, 1, '#');
  return words.join('.');
}

function bindAll<D>(
  router: ExchangeRouter<D>,
  bindings: readonly (readonly [string, D])[],
): ExchangeRouter<D> {
  for (const [bindingKey, destination] of bindings) {
    router.add({ destination, bindingKey, arguments: NO_ARGUMENTS });
  }
  return router;
}

/** The loop all routers share, as they share one call in the broker. */
function routeAll(router: ExchangeRouter<Visitable>, keys: readonly string[]): Run {
  const found = new MatchSet<Visitable>();
  let at = 0;
  return (count) => {
    for (let i = 0; i < count; i++) {
      found.clear();
      router.route(keys[at] as string, message, found);
      at++;
      if (at === keys.length) at = 0;
    }
    keep(found.length);
  };
}

/** The same with keys made from bytes each time, so that no hash is known beforehand. */
function routeAllDecoded(router: ExchangeRouter<Visitable>, keys: readonly string[]): Run {
  const found = new MatchSet<Visitable>();
  const bytes = keys.map((key) => Buffer.from(key));
  let at = 0;
  return (count) => {
    for (let i = 0; i < count; i++) {
      const key = bytes[at] as Buffer;
      found.clear();
      router.route(key.toString('latin1', 0, key.length), message, found);
      at++;
      if (at === bytes.length) at = 0;
    }
    keep(found.length);
  };
}

const destinations = (count: number) =>
  Array.from({ length: count }, (): Visitable => ({ visitMark: 0 }));

function direct(): ExchangeRouter<Visitable> {
  const queues = destinations(BINDINGS);
  const keys = fiveWordKeys(BINDINGS);
  return bindAll(
    new DirectRouter<Visitable>(),
    keys.map((key, i) => [key, queues[i] as Visitable]),
  );
}

function topic(cacheReferences?: number): ExchangeRouter<Visitable> {
  const queues = destinations(BINDINGS);
  const keys = fiveWordKeys(BINDINGS).map(withWildcards);
  const router = new TopicRouter<Visitable>(cacheReferences);
  return bindAll(
    router,
    keys.map((key, i) => [key, queues[i] as Visitable]),
  );
}

/** One loop of nothing but a Set, which a MatchSet saves. */
function justASet(): Run {
  const found = new Set<Visitable>();
  const queue = { visitMark: 0 };
  return (count) => {
    for (let i = 0; i < count; i++) {
      found.clear();
      found.add(queue);
    }
    keep(found.size);
  };
}

/** One loop of nothing but the list, to be subtracted from the others. */
function justTheList(): Run {
  const found = new MatchSet<Visitable>();
  const queue = { visitMark: 0 };
  return (count) => {
    for (let i = 0; i < count; i++) {
      found.clear();
      found.add(queue);
    }
    keep(found.length);
  };
}

const keys = fiveWordKeys(BINDINGS);

export const routingBenches: readonly Bench[] = [
  { name: 'only a Set of destinations', prepare: justASet },
  { name: 'only the list of destinations', prepare: justTheList },
  { name: 'direct, 10,000 bindings', prepare: () => routeAll(direct(), keys) },
  { name: 'direct, keys from bytes', prepare: () => routeAllDecoded(direct(), keys) },
  { name: 'topic, 10,000 bindings, cached', prepare: () => routeAll(topic(), keys) },
  { name: 'topic, cached, keys from bytes', prepare: () => routeAllDecoded(topic(), keys) },
  { name: 'topic, without a cache', prepare: () => routeAll(topic(0), keys) },
  {
    name: 'topic, 200,000 keys in turn',
    prepare: () => routeAll(topic(), fiveWordKeys(200_000)),
  },
  {
    name: 'fanout to 100',
    prepare: () => {
      const all = destinations(100).map((queue) => ['', queue] as const);
      return routeAll(bindAll(new FanoutRouter<Visitable>(), all), keys);
    },
  },
];
