// Owns taking in what one channel publishes: from a record to a route, queues, and the confirm. Never
// puts frames together: content-assembly.ts does.

import { AmqpError } from '../../amqp/errors.ts';
import type { FieldTable } from '../../amqp/field-table.ts';
import { checkProperties } from '../../amqp/properties.ts';
import {
  BIT_DELIVERY_MODE,
  BIT_EXPIRATION,
  BIT_PRIORITY,
  BIT_REPLY_TO,
  replaceHeaders,
  replaceShort,
} from '../../amqp/property-walk.ts';
import type { TableLimits } from '../../amqp/table-limits.ts';
import type { Grants } from '../../broker/access/grants.ts';
import type { BrokerCore } from '../../broker/core/core.ts';
import type { Exchange } from '../../broker/exchange/exchange.ts';
import type { RoutedMessage } from '../../broker/exchange/exchange-router.ts';
import {
  PUSH_EXPIRES,
  PUSH_PRIORITY,
  PUSH_PRIORITY_SHIFT,
  PUSH_STORED,
} from '../../broker/queue/messages/host.ts';
import type { Firehose } from '../../broker/republish/firehose.ts';
import { pushingAll, WIDE_ROUTE } from '../../broker/republish/pushing.ts';
import type { Route } from '../../broker/routing/route.ts';
import { type Address, exchangeOf, sameBytes } from '../../broker/routing/route-cache.ts';
import { checkCopies, copyKeys, namesCopies } from '../../broker/routing/sender-selected.ts';
import type { Steps } from '../../broker/turn/slices.ts';
import type { Vhost } from '../../broker/vhost/vhost.ts';
import { Chunk } from '../../message/chunk.ts';
import { readChunk } from '../../message/read-message.ts';
import {
  FLAG_PERSISTENT,
  NO_EXPIRY,
  RECORD_HEAD_BYTES,
  recordExchange,
  recordExpiryMs,
  recordFlags,
  recordPriority,
  recordRoutingKey,
  writeRecordHead,
} from '../../message/record.ts';
import { withHeaderPayload } from '../../message/replace-header.ts';
import type { Confirms } from './confirms.ts';
import { ContentAssembly, checkBodySize } from './content-assembly.ts';
import { publishLater } from './long-route.ts';
import {
  BAD_EXPIRY,
  checkExpiry,
  checkUserId,
  claimsOwnName,
  expiryOf,
  octetProperty,
  PARTICULAR_FLAGS,
  wantsDirectReply,
} from './publish-properties.ts';
import type { PublisherChannel } from './publisher-channel.ts';
import type { CommitOutcome, HeldPublish } from './transaction.ts';
import { pushWide } from './wide-push.ts';

/** Bits of basic.publish. */
const BIT_MANDATORY = 1;
const BIT_IMMEDIATE = 2;
const DELIVERY_MODE_PERSISTENT = 2;
/** Property flags of a message that has a delivery mode and nothing else: the commonest. */
const ONLY_DELIVERY_MODE = 1 << BIT_DELIVERY_MODE;
/** How large a message and its headers may be. */
export interface PublishLimits extends TableLimits {
  readonly maxMessageBytes: number;
}

/** The publishing side of one channel. */
export class Publisher {
  /** Contents that come frame by frame. */
  readonly assembly: ContentAssembly;
  private readonly core: BrokerCore;
  private readonly vhost: Vhost;
  private readonly channel: PublisherChannel;
  private readonly grants: Grants | null;
  private readonly maxMessageBytes: number;
  private readonly tableLimits: TableLimits;
  /** The address of the last publish with its route, since the next is often alike. */
  private lastAddress: Address | null = null;
  /** The exchange that the user was allowed to write to last, in which topology. */
  private permitted: Exchange | null = null;
  private permittedAt = 0;
  /** Whether a route that takes long to find is waited for; set by long-route.ts. */
  patient = true;

  constructor(core: BrokerCore, vhost: Vhost, channel: PublisherChannel, limits: PublishLimits) {
    this.core = core;
    this.vhost = vhost;
    this.channel = channel;
    this.grants = channel.grants;
    // All settings are a large object, too slow to look into for each message.
    const { maxMessageBytes, tableDepthMax, tableEntriesMax } = limits;
    this.maxMessageBytes = maxMessageBytes;
    this.tableLimits = { tableDepthMax, tableEntriesMax };
    this.assembly = new ContentAssembly(maxMessageBytes, channel.holdings);
  }

  /** The content that comes frame by frame has ended: it is published. */
  publishAssembled(): void {
    const { chunk, headerFrame, end } = this.assembly;
    try {
      this.publish(chunk, 0, headerFrame - 2, headerFrame, end);
    } catch (error) {
      publishLater(this, this.channel, error, chunk, 0, headerFrame - 2, headerFrame, end);
    } finally {
      chunk.unload();
    }
  }

  /**
   * Takes in a record that lies in a chunk at `start`. Throws AmqpErrors for what the publisher may
   * not do; nothing has changed then. `known` is the route, if it has been found already.
   */
  publish(
    chunk: Chunk,
    start: number,
    addressEnd: number,
    headerFrame: number,
    end: number,
    known: Route | null = null,
  ): void {
    const { bytes, view } = chunk;
    const { core } = this;
    const bits = bytes[addressEnd] as number;
    const bodyBytes = view.getUint32(headerFrame + 15);
    if (bodyBytes > this.maxMessageBytes) checkBodySize(bodyBytes, this.maxMessageBytes);
    if ((bits & BIT_IMMEDIATE) !== 0) throw new AmqpError('NOT_IMPLEMENTED', 'immediate=true');
    const flagsAt = headerFrame + 19;
    const propertyFlags = view.getUint16(flagsAt);
    let persistent = false;
    let priority = 0;
    let traits = 0;
    let expiryMs = NO_EXPIRY;
    if (propertyFlags === ONLY_DELIVERY_MODE && view.getUint32(headerFrame + 3) === 15) {
      persistent = bytes[flagsAt + 2] === DELIVERY_MODE_PERSISTENT;
    } else {
      const payloadEnd = headerFrame + 7 + view.getUint32(headerFrame + 3);
      checkProperties(bytes, flagsAt, payloadEnd, this.tableLimits);
      persistent = octetProperty(bytes, flagsAt, BIT_DELIVERY_MODE) === DELIVERY_MODE_PERSISTENT;
      if ((propertyFlags & (1 << BIT_PRIORITY)) !== 0) {
        priority = octetProperty(bytes, flagsAt, BIT_PRIORITY);
        traits = PUSH_PRIORITY | (priority << PUSH_PRIORITY_SHIFT);
      }
      if ((propertyFlags & (1 << BIT_EXPIRATION)) !== 0) {
        expiryMs = this.expiryOf(bytes, start, addressEnd, flagsAt);
        traits |= PUSH_EXPIRES;
      }
      const mayBe = known === null && (propertyFlags & PARTICULAR_FLAGS) !== 0;
      if (mayBe && this.isParticular(bytes, start, addressEnd, flagsAt)) {
        return this.publishParticular(chunk, start, addressEnd, headerFrame, end);
      }
    }
    const route = known ?? this.routeOf(bytes, start, addressEnd, flagsAt);
    const flags = persistent ? FLAG_PERSISTENT : 0;
    writeRecordHead(view, start, flags, priority, core.nowMs, expiryMs);
    if (this.vhost.firehose !== null) this.trace(this.vhost.firehose, chunk, start, route);
    if (this.channel.transaction !== null) {
      const mandatory = (bits & BIT_MANDATORY) !== 0;
      this.channel.transaction.hold(chunk, start, end, bodyBytes, route, mandatory, traits);
      return;
    }
    const { queues, exchange } = route;
    const count = queues.length;
    this.taken();
    exchange.publishedIn += 1;
    exchange.publishedOut += count;
    let stored = false;
    let refused = false;
    if (count === 0) {
      this.unroutable((bits & BIT_MANDATORY) !== 0, chunk, start);
    } else {
      stored = persistent && route.durable;
      const position = core.log.place(chunk, start, end, stored);
      core.log.placed.hold(count, bodyBytes);
      if (stored) traits |= PUSH_STORED;
      if (count >= WIDE_ROUTE) return this.toMany(route, position, bodyBytes, traits, stored);
      for (let i = 0; i < count; i++) {
        if (!queues[i]!.push(position, bodyBytes, traits)) refused = true;
      }
    }
    if (this.channel.confirms !== null) this.confirm(this.channel.confirms, stored, refused);
    core.line.end();
  }

  /** From here on a publish changes things. */
  private taken(): void {
    this.core.line.begin();
    this.channel.counts.published += 1;
  }

  private toMany(route: Route, at: number, size: number, traits: number, stored: boolean): void {
    const { confirms } = this.channel;
    pushWide(this.core, this.channel, route.queues, at, size, traits, (refused) => {
      if (confirms !== null) this.confirm(confirms, stored, refused);
    });
    this.core.line.end();
  }

  private unroutable(mandatory: boolean, chunk: Chunk, record: number): void {
    const { counts } = this.channel;
    if (mandatory) {
      counts.returned += 1;
      this.channel.returnUnroutable(chunk, record);
    } else {
      counts.dropped += 1;
    }
  }

  private trace(firehose: Firehose, chunk: Chunk, start: number, route: Route): void {
    firehose.published(this.channel, readChunk(chunk, start), route.queues);
  }

  private confirm(confirms: Confirms, stored: boolean, refused: boolean): void {
    if (refused) confirms.addRefused();
    else if (stored) confirms.addWaiting(this.core.awaitConfirm());
    else confirms.addSafe();
    this.channel.confirmsChanged();
  }

  /** Whether it is one for `publishParticular`; throws when it names another user. */
  private isParticular(bytes: Buffer, start: number, addressEnd: number, flagsAt: number): boolean {
    if (this.grants !== null && !claimsOwnName(bytes, flagsAt, this.grants.user)) {
      this.refuse(bytes, start, addressEnd, flagsAt);
    }
    return namesCopies(bytes, flagsAt) || wantsDirectReply(bytes, flagsAt);
  }

  private expiryOf(bytes: Buffer, start: number, addressEnd: number, flagsAt: number): number {
    const expiryMs = expiryOf(bytes, flagsAt);
    if (expiryMs === BAD_EXPIRY) this.refuse(bytes, start, addressEnd, flagsAt);
    return expiryMs;
  }

  /** Throws for properties that are refused; as in RabbitMQ, what the user may do comes first. */
  private refuse(bytes: Buffer, start: number, addressEnd: number, flagsAt: number): void {
    this.routeOf(bytes, start, addressEnd, flagsAt);
    if (this.grants !== null) checkUserId(bytes, flagsAt, this.grants.user);
    checkExpiry(bytes, flagsAt);
  }

  /**
   * Publishes a message that has more routing keys than one, or wants a direct reply. `BCC` is taken
   * out of it, and `reply-to` becomes the name of the queue that the replies go to.
   */
  private publishParticular(
    chunk: Chunk,
    start: number,
    addressEnd: number,
    headerFrame: number,
    end: number,
  ): void {
    const { bytes, view } = chunk;
    const flagsAt = headerFrame + 19;
    const header = headerFrame + 7;
    const original = bytes.subarray(header, header + view.getUint32(headerFrame + 3));
    let payload = original;
    let route: Route;
    if (namesCopies(bytes, flagsAt)) {
      const { router } = this.vhost;
      const name = recordExchange(bytes, start);
      const message = router.message.read(bytes, flagsAt);
      const headers = message.headers() as FieldTable;
      checkCopies(headers);
      const keys = [recordRoutingKey(bytes, start), ...copyKeys(headers)];
      if (headers.delete('BCC')) payload = replaceHeaders(payload, headers, false);
      route = this.find(name, keys, message);
    } else {
      route = this.routeOf(bytes, start, addressEnd, flagsAt);
    }
    if (wantsDirectReply(bytes, flagsAt)) {
      const { replyQueue } = this.channel;
      if (replyQueue === null) {
        throw new AmqpError('PRECONDITION_FAILED', 'fast reply consumer does not exist');
      }
      payload = replaceShort(payload, BIT_REPLY_TO, replyQueue.name);
    }
    if (payload === original) {
      this.publish(chunk, start, addressEnd, headerFrame, end, route);
      return;
    }
    const other = withHeaderPayload(chunk, start, headerFrame, end, payload);
    this.publish(other.chunk, 0, addressEnd - start, headerFrame - start, other.end, route);
  }

  /**
   * Publishes what waited for a commit, to those queues of its route that are still there. Returns the steps that
   * are left where these are many, or null.
   */
  publishHeld(held: HeldPublish, outcome: CommitOutcome): Steps | null {
    const { core } = this;
    const { bytes, end, bodyBytes } = held;
    const queues = held.route.queues.filter((queue) => !queue.deleted);
    const chunk = new Chunk();
    chunk.loadRecord(bytes, held.parts);
    const { exchange } = held.route;
    this.channel.counts.published += 1;
    exchange.publishedIn += 1;
    exchange.publishedOut += queues.length;
    if (queues.length === 0) {
      this.unroutable(held.mandatory, chunk, 0);
      return null;
    }
    // What it says of the time to live counts from the commit on.
    const { view } = chunk;
    const flags = recordFlags(bytes, 0);
    const priority = recordPriority(bytes, 0);
    writeRecordHead(view, 0, flags, priority, core.nowMs, recordExpiryMs(view, 0));
    const persistent = (flags & FLAG_PERSISTENT) !== 0;
    const stored = persistent && queues.some((queue) => queue.durable);
    const position = core.log.place(chunk, 0, end, stored);
    core.log.placed.hold(queues.length, bodyBytes);
    const traits = stored ? held.traits | PUSH_STORED : held.traits;
    if (stored) outcome.stored = true;
    if (queues.length >= WIDE_ROUTE) {
      return pushingAll(core, queues, position, bodyBytes, traits, outcome);
    }
    for (const queue of queues) {
      if (!queue.push(position, bodyBytes, traits)) outcome.refused = true;
    }
    return null;
  }

  /** The route, from an earlier publish if one had the same address and nothing changed since. */
  private routeOf(bytes: Buffer, start: number, addressEnd: number, flagsAt: number): Route {
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

  /** On its own, so that `routeOf` stays small enough to be compiled into `publish`. */
  private lookUp(bytes: Buffer, start: number, addressEnd: number, flagsAt: number): Route {
    const { grants, permitted } = this;
    const { router } = this.vhost;
    const name = exchangeOf(this.lastAddress, bytes, start);
    const routingKey = recordRoutingKey(bytes, start);
    const message = router.message.read(bytes, flagsAt);
    const found = router.route(name, routingKey, message, this.patient);
    if (router.costly && this.core.slices.spent) this.channel.rest();
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

  /** The route by all keys, once it is sure that they may be published to. */
  private find(exchange: string, keys: readonly string[], message: RoutedMessage): Route {
    const { grants, vhost } = this;
    grants?.requireExchange('write', exchange);
    const found = vhost.router.routeAll(exchange, keys, message, this.patient);
    if (vhost.router.costly && this.core.slices.spent) this.channel.rest();
    const route = this.checked(exchange, found);
    if (grants !== null) for (const key of keys) grants.requireTopic('write', route.exchange, key);
    return route;
  }

  /** The route, if it starts at an exchange that may be published to. */
  private checked(exchange: string, route: Route | null): Route {
    const { vhost } = this;
    if (route === null) throw vhost.noExchange(exchange);
    if (!route.exchange.internal) return route;
    const where = `exchange '${exchange}' in vhost '${vhost.name}'`;
    throw new AmqpError('ACCESS_REFUSED', `cannot publish to internal ${where}`);
  }
}
