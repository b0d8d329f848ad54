// Owns taking in what one channel publishes: from a record to queues and the confirm. Never puts
// frames together (content-assembly.ts does), nor finds the way (publish-routes.ts does).

import { PUBLISH_MANDATORY } from '../../../amqp/constants.ts';
import { AmqpError } from '../../../amqp/errors.ts';
import { checkProperties } from '../../../amqp/properties.ts';
import { BIT_DELIVERY_MODE, BIT_EXPIRATION, BIT_PRIORITY } from '../../../amqp/property-walk.ts';
import type { TableLimits } from '../../../amqp/table-limits.ts';
import type { Grants } from '../../../broker/access/grants.ts';
import type { BrokerCore } from '../../../broker/core/core.ts';
import {
  ENQUEUED_STORED,
  enqueue,
  enqueueWide,
  KEEP_ALL,
  keepOf,
  refusalsIn,
  WIDE_ROUTE,
} from '../../../broker/core/enqueue.ts';
import type { Exchange } from '../../../broker/exchange/exchange.ts';
import { DELAYED_TYPE } from '../../../broker/exchange/registry.ts';
import { DELAY_MAX_MS, delayIn } from '../../../broker/queue/delay/delay-headers.ts';
import {
  PUSH_DELAY_KNOWN,
  PUSH_DELAYED,
  PUSH_EXPIRES,
  PUSH_PRIORITY,
  PUSH_PRIORITY_SHIFT,
  PUSH_STEP,
  PUSH_STREAM_HEADERS,
} from '../../../broker/queue/push-flags.ts';
import { claimAt } from '../../../broker/queue/stream/publishers/publisher-claim.ts';
import type { Firehose } from '../../../broker/republish/firehose.ts';
import {
  DuePlaces,
  headerSigns,
  SIGN_ACKS,
  SIGN_COPIES,
  SIGN_DUE,
  SIGN_STREAM,
  SIGN_TIMEOUT,
} from '../../../broker/routing/header-signs.ts';
import type { Route } from '../../../broker/routing/route.ts';
import type { Steps } from '../../../broker/turn/slices.ts';
import type { Vhost } from '../../../broker/vhost/vhost.ts';
import { Chunk } from '../../../message/chunk.ts';
import { readChunk } from '../../../message/read-message.ts';
import {
  FLAG_PERSISTENT,
  NO_EXPIRY,
  RECORD_HEAD_BYTES,
  recordExpiryMs,
  recordFlags,
  recordPriority,
  writeRecordHead,
} from '../../../message/record.ts';
import { noDeliveries } from './ack-tags.ts';
import { acking } from './acking.ts';
import type { Confirms } from './confirms.ts';
import { ContentAssembly, checkBodySize } from './content-assembly.ts';
import { enqueueKeyed, takeKeys } from './keyed-publish.ts';
import { acksNothing, isLeasePublish, prolongLease } from './lease-publish.ts';
import { publishLater } from './long-route.ts';
import {
  BAD_EXPIRY,
  checkDelay,
  checkExpiry,
  checkUserId,
  claimsOwnName,
  expiryOf,
  octetProperty,
  SPECIAL_FLAGS,
  wantsDirectReply,
} from './publish-properties.ts';
import { PublishRoutes, type SpecialPublish } from './publish-routes.ts';
import type { AckedDeliveries, PublisherChannel } from './publisher-channel.ts';
import type { CommitOutcome, HeldPublish } from './transaction.ts';

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
  readonly routes: PublishRoutes;
  private readonly channel: PublisherChannel;
  private readonly grants: Grants | null;
  private readonly maxMessageBytes: number;
  private readonly tableLimits: TableLimits;
  private readonly places = new DuePlaces();

  constructor(core: BrokerCore, vhost: Vhost, channel: PublisherChannel, limits: PublishLimits) {
    this.core = core;
    this.vhost = vhost;
    this.channel = channel;
    this.grants = channel.grants;
    this.routes = new PublishRoutes(core.slices, vhost, channel);
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
   * not do; nothing has changed then.
   */
  publish(chunk: Chunk, start: number, addressEnd: number, headerFrame: number, end: number): void {
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
    let flags = 0;
    let special: SpecialPublish | null = null;
    let expiryMs = NO_EXPIRY;
    if (propertyFlags === ONLY_DELIVERY_MODE && view.getUint32(headerFrame + 3) === 15) {
      persistent = bytes[flagsAt + 2] === DELIVERY_MODE_PERSISTENT;
    } else {
      const payloadEnd = headerFrame + 7 + view.getUint32(headerFrame + 3);
      checkProperties(bytes, flagsAt, payloadEnd, this.tableLimits);
      persistent = octetProperty(bytes, flagsAt, BIT_DELIVERY_MODE) === DELIVERY_MODE_PERSISTENT;
      if ((propertyFlags & (1 << BIT_PRIORITY)) !== 0) {
        priority = octetProperty(bytes, flagsAt, BIT_PRIORITY);
        flags = PUSH_PRIORITY | (priority << PUSH_PRIORITY_SHIFT);
      }
      if ((propertyFlags & (1 << BIT_EXPIRATION)) !== 0) {
        expiryMs = this.expiryOf(bytes, start, addressEnd, flagsAt);
        flags |= PUSH_EXPIRES;
      }
      if ((propertyFlags & SPECIAL_FLAGS) !== 0) {
        const signs = headerSigns(bytes, flagsAt, this.places);
        if ((signs & SIGN_TIMEOUT) !== 0 && isLeasePublish(bytes, start)) {
          if ((signs & SIGN_ACKS) !== 0) throw acksNothing();
          this.prolong(chunk, start, flagsAt, (bits & PUBLISH_MANDATORY) !== 0);
          return;
        }
        flags |= signs & SIGN_STREAM;
        if ((signs & SIGN_DUE) !== 0) flags |= this.delayFlags(bytes, start, addressEnd, flagsAt);
        if (this.isSpecial(bytes, start, addressEnd, flagsAt, signs, flags)) {
          special = this.routes.special(chunk, start, addressEnd, headerFrame, end, signs);
        }
      }
    }
    let route: Route;
    let record = chunk;
    let [from, to] = [start, end];
    let acks: readonly number[] | null = null;
    if (special === null) route = this.routes.of(bytes, start, addressEnd, flagsAt);
    else {
      ({ route, chunk: record, start: from, end: to, acks } = special);
      if (acks !== null) {
        this.deliveries().checkTags(acks);
        flags |= PUSH_STEP;
      }
    }
    // A stream looks at them later: what makes no sense is refused before anything changes.
    if ((flags & PUSH_STREAM_HEADERS) !== 0 && route.keep === KEEP_ALL) claimAt(bytes, flagsAt);
    const kept = persistent ? FLAG_PERSISTENT : 0;
    writeRecordHead(record.view, from, kept, priority, core.nowMs, expiryMs);
    if (this.vhost.firehose !== null) this.trace(this.vhost.firehose, record, from, route);
    this.accept(record, from, to, bodyBytes, route, (bits & PUBLISH_MANDATORY) !== 0, flags, acks);
  }

  /** Takes a publish in that may be made, its route known and its head written. */
  private accept(
    chunk: Chunk,
    start: number,
    end: number,
    bodyBytes: number,
    route: Route,
    mandatory: boolean,
    flags: number,
    acks: readonly number[] | null,
  ): void {
    const { core, channel } = this;
    if (channel.transaction !== null) {
      const kept = flags & ~PUSH_DELAY_KNOWN;
      channel.transaction.stage(chunk, start, end, bodyBytes, route, mandatory, kept, acks);
      return;
    }
    const { queues, keep } = route;
    // From here on a publish changes things.
    core.line.begin();
    this.count(route.exchange, queues.length);
    let outcome = 0;
    if (route.plain) {
      outcome = enqueue(core, chunk, start, end, bodyBytes, queues, keep, flags);
    } else if (queues.length < WIDE_ROUTE) {
      outcome = enqueueKeyed(core, chunk, start, end, bodyBytes, route, flags);
      if (route.unroutable) this.unroutable(mandatory, chunk, start);
    } else {
      return this.toMany(chunk, start, end, bodyBytes, route, flags & ~PUSH_DELAY_KNOWN, acks);
    }
    const refused = refusalsIn(outcome) > 0;
    if (acks !== null && !refused && !(mandatory && route.unroutable)) {
      if (this.deliveries().ackAll(acks)) outcome |= ENQUEUED_STORED;
    }
    if (channel.confirms !== null) {
      this.confirm(channel.confirms, (outcome & ENQUEUED_STORED) !== 0, refused);
    }
    core.line.end();
  }

  /** Counts a publish that goes to so many queues. */
  private count(exchange: Exchange, queues: number): void {
    this.channel.counts.published += 1;
    exchange.publishedIn += 1;
    exchange.publishedOut += queues;
  }

  /** Whatever the channel publishes next waits, and so does the batch. */
  private toMany(
    chunk: Chunk,
    start: number,
    end: number,
    bodyBytes: number,
    { queues, keep, keys }: Route,
    flags: number,
    acks: readonly number[] | null,
  ): void {
    const { core, channel } = this;
    const { confirms } = channel;
    const outcome = { stored: false, refused: false };
    let steps = enqueueWide(core, chunk, start, end, bodyBytes, queues, keep, flags, outcome);
    keys?.takeAhead(outcome.stored);
    if (acks !== null) {
      this.deliveries().promise(new Set(acks));
      steps = acking(steps, acks, this.deliveries(), outcome, true);
    }
    const confirm = (): void => {
      if (outcome.refused) keys?.undo();
      if (confirms !== null) this.confirm(confirms, outcome.stored, outcome.refused);
    };
    channel.act(steps, confirm, true);
    // Many in a chunk, each of them short, are long as well.
    if (core.slices.spent) channel.rest();
    core.line.end();
  }

  /** The deliveries that a publish may ack. Throws where there are none, which is before it changes anything. */
  private deliveries(): AckedDeliveries {
    const { deliveries } = this.channel;
    if (deliveries === null) throw noDeliveries();
    return deliveries;
  }

  /** What is published to `amq.leases` says how long a delivery of this channel may stay unacked. Nothing is kept of it. */
  private prolong(chunk: Chunk, start: number, flagsAt: number, mandatory: boolean): void {
    const { core, channel } = this;
    const held = prolongLease(channel.leases, chunk.bytes, start, flagsAt);
    core.line.begin();
    channel.counts.published += 1;
    if (!held) this.unroutable(mandatory, chunk, start);
    if (channel.confirms !== null) this.confirm(channel.confirms, false, !held);
    core.line.end();
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

  /** Whether it is one for `PublishRoutes.special`; throws when it names another user. */
  private isSpecial(
    bytes: Buffer,
    start: number,
    addressEnd: number,
    flagsAt: number,
    signs: number,
    flags: number,
  ): boolean {
    if (this.grants !== null && !claimsOwnName(bytes, flagsAt, this.grants.user)) {
      this.refuse(bytes, start, addressEnd, flagsAt);
    }
    if ((signs & (SIGN_COPIES | SIGN_ACKS)) !== 0 || wantsDirectReply(bytes, flagsAt)) return true;
    // The default exchange, whose name is empty, is of another type.
    if ((flags & PUSH_DELAYED) === 0 || bytes[start + RECORD_HEAD_BYTES] === 0) return false;
    return this.routes.of(bytes, start, addressEnd, flagsAt).exchange.type === DELAYED_TYPE;
  }

  /** What is told of a message with headers that say when it is due, at `places`: 0 where that is now. */
  private delayFlags(bytes: Buffer, start: number, addressEnd: number, flagsAt: number): number {
    const { core } = this;
    const delayMs = delayIn(bytes, this.places, core.time.wallOf(core.nowMs), false) ?? 0;
    if (delayMs > DELAY_MAX_MS) this.refuse(bytes, start, addressEnd, flagsAt);
    core.askedDelayMs = delayMs;
    return delayMs > 0 ? PUSH_DELAYED | PUSH_DELAY_KNOWN : 0;
  }

  private expiryOf(bytes: Buffer, start: number, addressEnd: number, flagsAt: number): number {
    const expiryMs = expiryOf(bytes, flagsAt);
    if (expiryMs === BAD_EXPIRY) this.refuse(bytes, start, addressEnd, flagsAt);
    return expiryMs;
  }

  /** Throws for properties that are refused; as in RabbitMQ, what the user may do comes first. */
  private refuse(bytes: Buffer, start: number, addressEnd: number, flagsAt: number): void {
    this.routes.of(bytes, start, addressEnd, flagsAt);
    if (this.grants !== null) checkUserId(bytes, flagsAt, this.grants.user);
    checkExpiry(bytes, flagsAt);
    checkDelay(bytes, flagsAt, this.core.time.wallOf(this.core.nowMs));
  }

  /**
   * Publishes what waited for a commit, to those queues of its route that are still there; `settles`: the commit settles
   * deliveries. Returns the steps that are left where these are many, or null.
   */
  publishHeld(held: HeldPublish, settles: boolean, outcome: CommitOutcome): Steps | null {
    const { core } = this;
    const flags = settles ? held.flags | PUSH_STEP : held.flags;
    const { bytes, end, bodyBytes } = held;
    const route = this.routes.renewed(held.route, bytes);
    const { keys, exchange } = route;
    const queues = route.queues.filter((queue) => !queue.deleted);
    const chunk = new Chunk();
    chunk.loadRecord(bytes, held.parts);
    this.count(exchange, queues.length);
    const { acks } = held;
    if (queues.length === 0) {
      keys?.count();
      const taken = keys?.dropped === true;
      if (!taken) this.unroutable(held.mandatory, chunk, 0);
      // As with a confirm: the first one may not be on the disk yet.
      else if ((recordFlags(bytes, 0) & FLAG_PERSISTENT) !== 0) outcome.stored = true;
      const acked = acks !== null && (taken || !held.mandatory) && this.deliveries().ackAll(acks);
      if (acked) outcome.stored = true;
      return null;
    }
    // What it says of the time to live counts from the commit on.
    const { view } = chunk;
    const priority = recordPriority(bytes, 0);
    writeRecordHead(view, 0, recordFlags(bytes, 0), priority, core.nowMs, recordExpiryMs(view, 0));
    const keep = keepOf(queues);
    if (queues.length >= WIDE_ROUTE) {
      const steps = enqueueWide(core, chunk, 0, end, bodyBytes, queues, keep, flags, outcome);
      keys?.takeAhead(outcome.stored);
      if (acks === null) return steps;
      return acking(steps, acks, this.deliveries(), outcome, false);
    }
    const done = enqueue(core, chunk, 0, end, bodyBytes, queues, keep, flags);
    keys?.count();
    takeKeys(keys, done);
    if ((done & ENQUEUED_STORED) !== 0) outcome.stored = true;
    if (refusalsIn(done) > 0) outcome.refused = true;
    else if (acks !== null && this.deliveries().ackAll(acks)) outcome.stored = true;
    return null;
  }
}
