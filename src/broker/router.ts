// Owns the way from exchange and routing key to queues, through bindings between exchanges, and
// the cache of the answers. Never looks at a message unless an exchange asks for its headers.

import type { FieldTable } from '../amqp/field-table.ts';
import { type Destination, type Exchange, isExchange } from './exchange/exchange.ts';
import type { RoutedMessage } from './exchange/router.ts';
import type { Queue } from './queue/queue.ts';
import { Route } from './route.ts';
import { RouteMemo } from './route-memo.ts';

/** Routes remembered per exchange; past this the exchange's routes are forgotten. */
const ROUTES_MAX = 16_384;

/** What the router reads of its vhost. */
export interface Topology {
  readonly exchanges: ReadonlyMap<string, Exchange>;
  readonly queues: ReadonlyMap<string, Queue>;
}

/** Computes and remembers the routes of one vhost. */
export class Router {
  /** Changes with every change of exchanges, queues and bindings: a Route of another is stale. */
  topology = 1;
  /** Routes found lately, by the bytes of their address. */
  readonly memo = new RouteMemo();
  private readonly vhost: Topology;
  private readonly cache = new Map<string, Map<string, Route>>();

  constructor(vhost: Topology) {
    this.vhost = vhost;
  }

  /** Makes every route computed so far stale. */
  topologyChanged(): void {
    this.topology += 1;
    this.cache.clear();
  }

  /** The route of a message, or null when its exchange does not exist. */
  route(exchange: string, routingKey: string, headers: () => FieldTable | null): Route | null {
    let routes = this.cache.get(exchange);
    const known = routes?.get(routingKey);
    if (known !== undefined) return known;
    const source = this.vhost.exchanges.get(exchange);
    if (source === undefined) return null;
    const route = this.compute(source, routingKey, { headers });
    if (!route.byKeyOnly) return route;
    if (routes === undefined) {
      routes = new Map();
      this.cache.set(exchange, routes);
    }
    if (routes.size >= ROUTES_MAX) routes.clear();
    routes.set(routingKey, route);
    return route;
  }

  /** Follows bindings breadth first; each exchange once, so that cycles end; each queue once. */
  private compute(source: Exchange, routingKey: string, message: RoutedMessage): Route {
    if (source.name === '') {
      const queue = this.vhost.queues.get(routingKey);
      return new Route(source, queue === undefined ? [] : [queue], this.topology, true);
    }
    const found = new Set<Destination>([source]);
    const queues: Queue[] = [];
    let byKeyOnly = true;
    for (const destination of found) {
      if (!isExchange(destination)) {
        queues.push(destination);
        continue;
      }
      if (destination.readsHeaders) byKeyOnly = false;
      destination.router.route(routingKey, message, found);
    }
    return new Route(source, queues, this.topology, byKeyOnly);
  }
}
