// Owns where a publish of one channel goes: its route, the last ones kept, and whether the user may publish there.
// Never puts anything into a queue.

import { AmqpError } from '../../../amqp/errors.ts';
import type { FieldTable } from '../../../amqp/field-table.ts';
import {
  BIT_REPLY_TO,
  PROPERTY_FLAGS_OFFSET,
  replaceHeaders,
  replaceShort,
} from '../../../amqp/property-walk.ts';
import type { Grants } from '../../../broker/access/grants.ts';
import type { Exchange } from '../../../broker/exchange/exchange.ts';
import type { RoutedMessage } from '../../../broker/exchange/exchange-router.ts';
import { LEASES_EXCHANGE } from '../../../broker/exchange/predeclared.ts';
import { DELAYED_TYPE } from '../../../broker/exchange/registry.ts';
import { exchangeIn } from '../../../broker/names-in-texts.ts';
import { withDelayNegated } from '../../../broker/queue/delay/delay-headers.ts';
import {
  ACK_TAGS_HEADER,
  SIGN_ACKS,
  SIGN_COPIES,
  SIGN_DELAY,
} from '../../../broker/routing/header-signs.ts';
import type { Route } from '../../../broker/routing/route.ts';
import { type Address, exchangeOf, sameBytes } from '../../../broker/routing/route-cache.ts';
import { checkCopies, copyKeys } from '../../../broker/routing/sender-selected.ts';
import type { Slices } from '../../../broker/turn/slices.ts';
import type { Vhost } from '../../../broker/vhost/vhost.ts';
import type { Chunk } from '../../../message/chunk.ts';
import {
  headerFrameStart,
  RECORD_HEAD_BYTES,
  recordExchange,
  recordRoutingKey,
} from '../../../message/record.ts';
import { withHeaderPayload } from '../../../message/replace-header.ts';
import { ackTagsOf } from './ack-tags.ts';
import { noTime } from './lease-publish.ts';
import { headersIn, wantsDirectReply } from './publish-properties.ts';

/** What routing needs of the channel. */
export interface RoutingChannel {
  /** What the publisher may do; null: anything. */
  readonly grants: Grants | null;
  /** The queue of the consumer of replies, or null when the channel has none. */
  readonly replyQueue: { readonly name: string } | null;
  /** Lets others have their turn before it publishes more. */
  rest(): void;
}

/** A special publish: its record, changed where it had to be, and its route. */
export interface SpecialPublish {
  readonly chunk: Chunk;
  readonly start: number;
  readonly end: number;
  readonly route: Route;
  /** Tags of deliveries that it acks; null: none. */
  readonly acks: readonly number[] | null;
}

/** The routes of what one channel publishes. */
export class PublishRoutes {
  private readonly slices: Slices;
  private readonly vhost: Vhost;
  private readonly channel: RoutingChannel;
  private readonly grants: Grants | null;
  /** The address of the last publish with its route, since the next is often alike. */
  private lastAddress: Address | null = null;
  /** The exchange that the user was allowed to write to last, in which topology. */
  private permitted: Exchange | null = null;
  private permittedAt = 0;
  /** Whether a route that takes long to find is waited for; set by long-route.ts. */
  patient = true;

  constructor(slices: Slices, vhost: Vhost, channel: RoutingChannel) {
    this.slices = slices;
    this.vhost = vhost;
    this.channel = channel;
    this.grants = channel.grants;
  }

  /** The route, from an earlier publish if one had the same address and nothing changed since. */
  of(bytes: Buffer, start: number, addressEnd: number, flagsAt: number): Route {
    const { topology, memo } = this.vhost.router;
    const address = start + RECORD_HEAD_BYTES;
    const length = addressEnd - address;
    const last = this.lastAddress;
    if (last !== null && last.route.topology === topology) {
      if (sameBytes(last.bytes, bytes, address, length)) return last.route;
    }
    const known = memo.find(bytes, address, length, topology, this.grants);
    if (known === null) return this.lookUp(bytes, start, addressEnd, flagsAt);
    this.lastAddress = known;
    return known.route;
  }

  /** On its own, so that `of` stays small enough to be compiled into `publish`. */
  private lookUp(bytes: Buffer, start: number, addressEnd: number, flagsAt: number): Route {
    const { grants, permitted } = this;
    const { router } = this.vhost;
    const name = exchangeOf(this.lastAddress, bytes, start);
    const routingKey = recordRoutingKey(bytes, start);
    const message = router.message.read(bytes, flagsAt);
    const found = router.route(name, routingKey, message, this.patient);
    if (router.costly && this.slices.spent) this.channel.rest();
    // What a user may do changes with the topology, so that what was allowed for it holds till then.
    if (found === null || permitted !== found.exchange || this.permittedAt !== found.topology) {
      grants?.requireExchange('write', name);
    }
    const route = this.checked(name, found);
    this.permitted = route.exchange;
    this.permittedAt = route.topology;
    grants?.requireTopic('write', route.exchange, routingKey);
    if (route.byKeyOnly) {
      const address = start + RECORD_HEAD_BYTES;
      const length = addressEnd - address;
      this.lastAddress = router.memo.remember(bytes, address, length, route, grants);
    }
    return route;
  }

  /** The route of a publish that waited for a commit, in the light of what exchanges know by now. */
  renewed(route: Route, record: Buffer): Route {
    if (route.keys === null) return route;
    const { router } = this.vhost;
    const flagsAt = headerFrameStart(record, 0) + 7 + PROPERTY_FLAGS_OFFSET;
    return router.renewed(route, router.message.read(record, flagsAt));
  }

  /** The route by all keys, once it is sure that they may be published to. */
  private find(exchange: string, keys: readonly string[], message: RoutedMessage): Route {
    const { grants, vhost } = this;
    grants?.requireExchange('write', exchange);
    const found = vhost.router.routeAll(exchange, keys, message, this.patient);
    if (vhost.router.costly && this.slices.spent) this.channel.rest();
    const route = this.checked(exchange, found);
    if (grants !== null) for (const key of keys) grants.requireTopic('write', route.exchange, key);
    return route;
  }

  /** The route, if it starts at an exchange that may be published to. */
  private checked(exchange: string, route: Route | null): Route {
    const { vhost } = this;
    if (route === null) {
      throw exchange === LEASES_EXCHANGE ? noTime() : vhost.noExchange(exchange);
    }
    if (!route.exchange.internal) return route;
    const where = exchangeIn(vhost.name, exchange);
    throw new AmqpError('ACCESS_REFUSED', `cannot publish to internal ${where}`);
  }

  /**
   * What becomes of a message that has more routing keys than one, wants a direct reply, or acks deliveries. `BCC` and
   * `x-ack-delivery-tag` are taken out of it, and `reply-to` becomes the name of the queue that the replies go to. What passed an exchange of the type
   * `x-delayed-message` carries its delay negated. `signs`: what its headers name.
   */
  special(
    chunk: Chunk,
    start: number,
    addressEnd: number,
    headerFrame: number,
    end: number,
    signs: number,
  ): SpecialPublish {
    const { bytes, view } = chunk;
    const flagsAt = headerFrame + 19;
    const header = headerFrame + 7;
    const original = bytes.subarray(header, header + view.getUint32(headerFrame + 3));
    let payload = original;
    let route: Route;
    if ((signs & SIGN_COPIES) !== 0) {
      const { router } = this.vhost;
      const name = recordExchange(bytes, start);
      const message = router.message.read(bytes, flagsAt);
      const headers = message.headers() as FieldTable;
      checkCopies(headers);
      const keys = [recordRoutingKey(bytes, start), ...copyKeys(headers)];
      if (headers.delete('BCC')) payload = replaceHeaders(payload, headers, false);
      route = this.find(name, keys, message);
    } else {
      route = this.of(bytes, start, addressEnd, flagsAt);
    }
    if (wantsDirectReply(bytes, flagsAt)) {
      const { replyQueue } = this.channel;
      if (replyQueue === null) {
        throw new AmqpError('PRECONDITION_FAILED', 'fast reply consumer does not exist');
      }
      payload = replaceShort(payload, BIT_REPLY_TO, replyQueue.name);
    }
    if ((signs & SIGN_DELAY) !== 0 && route.exchange.type === DELAYED_TYPE) {
      payload = withDelayNegated(payload, headersIn(payload, PROPERTY_FLAGS_OFFSET));
    }
    let acks: readonly number[] | null = null;
    if ((signs & SIGN_ACKS) !== 0) {
      const headers = headersIn(payload, PROPERTY_FLAGS_OFFSET);
      acks = ackTagsOf(headers);
      headers.delete(ACK_TAGS_HEADER);
      payload = replaceHeaders(payload, headers, false);
    }
    if (payload === original) return { chunk, start, end, route, acks };
    const other = withHeaderPayload(chunk, start, headerFrame, end, payload);
    return { chunk: other.chunk, start: 0, end: other.end, route, acks };
  }
}
