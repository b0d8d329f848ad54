// Owns the way from exchange and routing key to queues, through bindings between exchanges, and
// the cache of the answers. Never looks at a message unless an exchange asks for more than its key.

import { type Destination, type Exchange, isExchange } from '../exchange/exchange.ts';
import type { RoutedMessage } from '../exchange/exchange-router.ts';
import { MatchSet } from '../exchange/match-set.ts';
import { LONG_WALK_NODES } from '../exchange/types/topic-trie.ts';
import type { MessageSink } from '../queue/ports.ts';
import type { Steps } from '../turn/slices.ts';
import { MessageProperties } from './message-properties.ts';
import { isReplyName } from './reply-names.ts';
import { Route } from './route.ts';
import { RouteCache } from './route-cache.ts';
import { RouteKeys } from './route-keys.ts';

/** Routes remembered per exchange; past this the exchange's routes are forgotten. */
const ROUTES_MAX = 16_384;
/** What makes a route one of those of which a turn has time for few: so many of one kind. */
const MANY_BINDINGS = 256;
const MANY_KEYS = 16;
const LONG_KEY = 64;
const NO_KEYS: readonly string[] = [];

/** What the router reads of its vhost. */
export interface Topology {
  readonly exchanges: ReadonlyMap<string, Exchange>;
  readonly queues: ReadonlyMap<string, MessageSink>;
  /** The queues of direct reply-to. */
  readonly replies: { get(name: string): MessageSink | undefined };
}

/** Thrown where a route takes long to find: a caller that can wait should take these steps, and then ask again. */
export class LongRoute {
  readonly steps: Steps;

  constructor(steps: Steps) {
    this.steps = steps;
  }
}

/** Computes and remembers the routes of one vhost. */
export class Router {
  /** Changes with every change of exchanges, queues and bindings: a Route of another is stale. */
  topology = 1;
  /** Routes found lately, by the bytes of their address. */
  readonly memo = new RouteCache();
  /** Whether the last route that was asked for had to be found, and by more than a few looks. */
  costly = false;
  private readonly vhost: Topology;
  /** The message at hand, for one publish after another. */
  readonly message = new MessageProperties();
  private readonly destinations = new MatchSet<Destination>();
  /** What exchanges found of the message at hand that look for duplicates; null: nothing. */
  private keys: RouteKeys | null = null;
  private readonly cache = new Map<string, Map<string, Route>>();

  constructor(vhost: Topology) {
    this.vhost = vhost;
  }

  /** Makes every route computed so far stale. */
  topologyChanged(): void {
    this.topology += 1;
    this.cache.clear();
  }

  /**
   * The route of a message, or null when its exchange does not exist. `patient`: throws a LongRoute where it
   * takes long to find.
   */
  route(
    exchange: string,
    routingKey: string,
    message: RoutedMessage,
    patient = false,
  ): Route | null {
    this.costly = false;
    let routes = this.cache.get(exchange);
    const known = routes?.get(routingKey);
    if (known !== undefined) return known;
    const source = this.vhost.exchanges.get(exchange);
    if (source === undefined) return null;
    const byKeyOnly = this.follow(source, routingKey, NO_KEYS, message, patient);
    const route = this.found(source, byKeyOnly);
    if (!byKeyOnly) return route;
    if (routes === undefined) {
      routes = new Map();
      this.cache.set(exchange, routes);
    }
    if (routes.size >= ROUTES_MAX) routes.clear();
    routes.set(routingKey, route);
    return route;
  }

  /**
   * The route of a message with several routing keys, as `CC` and `BCC` give it: one copy for each
   * queue that any of them leads to. Null when its exchange does not exist. Remembered only if there
   * is but one key.
   */
  routeAll(
    exchange: string,
    keys: readonly string[],
    message: RoutedMessage,
    patient = false,
  ): Route | null {
    const [routingKey = '', ...moreKeys] = keys;
    if (moreKeys.length === 0) return this.route(exchange, routingKey, message, patient);
    const source = this.vhost.exchanges.get(exchange);
    if (source === undefined) return null;
    this.follow(source, routingKey, moreKeys, message, patient);
    return this.found(source, false);
  }

  /** The route of a message that had one, if an exchange on it knows its key by now, or no more; else that one. */
  renewed(route: Route, message: RoutedMessage): Route {
    const { keys, exchange } = route;
    if (keys === null || exchange.deleted || !keys.isStale(message)) return route;
    this.follow(exchange, keys.routingKey, keys.moreKeys, message, false);
    return this.found(exchange, false);
  }

  /**
   * Fills `destinations`, breadth first: each exchange once, so that cycles end, and each queue once.
   * Returns whether the answer holds for every message with these keys.
   */
  private follow(
    source: Exchange,
    routingKey: string,
    moreKeys: readonly string[],
    message: RoutedMessage,
    patient: boolean,
  ): boolean {
    const { destinations } = this;
    const { exchanges } = this.vhost;
    destinations.clear();
    this.keys = null;
    this.costly = moreKeys.length > MANY_KEYS || routingKey.length > LONG_KEY;
    if (source.name === '') {
      const byKeyOnly = this.addNamed(routingKey);
      for (const key of moreKeys) this.addNamed(key);
      return byKeyOnly;
    }
    let byKeyOnly = true;
    destinations.add(source);
    for (let i = 0; i < destinations.length; i++) {
      const exchange = destinations.items[i] as Destination;
      if (!isExchange(exchange)) continue;
      if (!exchange.byKeyOnly) {
        byKeyOnly = false;
        if (exchange.duplicates !== null && this.drops(exchange, routingKey, moreKeys, message)) {
          continue;
        }
      }
      if (exchange.bindings.size > MANY_BINDINGS || i > MANY_BINDINGS) this.costly = true;
      if (patient) waitForWalks(exchange, routingKey, moreKeys);
      let matched = exchange.router.route(routingKey, message, destinations);
      if (exchange.eachKey) {
        for (const key of moreKeys) {
          matched = exchange.router.route(key, message, destinations) || matched;
        }
      }
      if (matched || exchange.alternateExchange === null) continue;
      addIfThere(destinations, exchanges.get(exchange.alternateExchange));
    }
    return byKeyOnly;
  }

  /** Whether an exchange knows the key of a message; notes what it finds. */
  private drops(
    exchange: Exchange,
    routingKey: string,
    moreKeys: readonly string[],
    message: RoutedMessage,
  ): boolean {
    const look = exchange.duplicates?.look(message) ?? 'passes';
    if (look === 'passes') return false;
    this.keys ??= new RouteKeys(routingKey, moreKeys);
    if (look !== 'duplicate') this.keys.fresh.push(look);
    else this.keys.dropping.push(exchange);
    return look === 'duplicate';
  }

  /** The queue of that name; false for one whose coming and going changes no topology. */
  private addNamed(name: string): boolean {
    const forReplies = isReplyName(name);
    const { queues, replies } = this.vhost;
    addIfThere(this.destinations, forReplies ? replies.get(name) : queues.get(name));
    return !forReplies;
  }

  /** The route to the queues among `destinations`. */
  private found(source: Exchange, byKeyOnly: boolean): Route {
    const queues: MessageSink[] = [];
    for (const destination of this.destinations.items) {
      if (!isExchange(destination)) queues.push(destination);
    }
    return new Route(source, queues, this.topology, byKeyOnly, this.keys);
  }
}

/** Throws a LongRoute for the first key whose answer takes long; the walk goes on to those behind it. */
function waitForWalks(exchange: Exchange, routingKey: string, moreKeys: readonly string[]): void {
  const { router, eachKey } = exchange;
  if (router.longWalk === undefined) return;
  const steps = router.longWalk(routingKey, LONG_WALK_NODES);
  if (steps !== null) throw new LongRoute(walks(router, steps, eachKey ? moreKeys : NO_KEYS));
  if (!eachKey) return;
  for (let i = 0; i < moreKeys.length; i++) {
    const nodesMax = i < MANY_KEYS ? LONG_WALK_NODES / MANY_KEYS : 0;
    const more = router.longWalk(moreKeys[i] as string, nodesMax);
    if (more !== null) throw new LongRoute(walks(router, more, moreKeys.slice(i + 1)));
  }
}

function* walks(router: Exchange['router'], first: Steps, moreKeys: readonly string[]): Steps {
  yield* first;
  for (const key of moreKeys) {
    yield;
    const steps = router.longWalk?.(key, 0) ?? null;
    if (steps !== null) yield* steps;
  }
}

/** An alternate exchange, or a queue, that is not there (yet) is no error. */
function addIfThere(matches: MatchSet<Destination>, destination: Destination | undefined): void {
  if (destination !== undefined) matches.add(destination);
}
