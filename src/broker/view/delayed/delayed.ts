// Owns what tools see of messages that wait for their time, and what they may do with them: send now, drop. Never lets a
// user see or touch more than the queue's own rights allow.

import { arrivedMsAt, readMessage } from '../../../message/read-message.ts';
import type { Broker } from '../../broker.ts';
import { DELAYED_RETURNED, type DelayEntry } from '../../queue/delay/delay-entry.ts';
import type { DelayPlace } from '../../queue/delay/delay-lookup.ts';
import type { DelayedAction } from '../../queue/delay/queue-delays.ts';
import type { VhostActor } from '../../vhost/vhost-actor.ts';
import { type MessageView, type PayloadEncoding, viewMessage } from '../message-json.ts';

/** A message that waits. */
export interface DelayedView extends Partial<MessageView> {
  /** What names it for as long as it waits for this time. */
  readonly id: string;
  /** When it is due, ms since the Unix epoch. */
  readonly due_at: number;
  /** How often it came back to the queue; 0: it was never out. */
  readonly returns: number;
  readonly payload_bytes: number;
  /** When it came into the broker, ms since the Unix epoch. */
  readonly arrived_at?: number;
  readonly truncated?: boolean;
  /** Why it cannot be shown; then all else of a message is left out. */
  readonly error?: string;
}

/** What to list. */
export interface DelayedRequest {
  /** Null: from the one due first on. */
  readonly after: DelayPlace | null;
  readonly count: number;
  readonly encoding: PayloadEncoding;
  /** Bytes of each payload to show. */
  readonly truncate: number;
}

/** Some of what waits. */
export interface DelayedPage {
  readonly messages: readonly DelayedView[];
  /** Behind which one to go on; null: there is no more. */
  readonly next: DelayPlace | null;
  /** False: so much waits that not all of it was looked at; others may be due before the last of these. */
  readonly exact: boolean;
}

/** What is done in one turn at most. */
const LIST_MS_MAX = 10;
const LIST_BYTES_MAX = 4 * 2 ** 20;

const ID = /^(\d{1,15})-(\d{1,15})$/;

/** What one user may do in one vhost with what waits. */
export class DelayedActor {
  private readonly broker: Broker;
  private readonly topology: VhostActor;

  constructor(broker: Broker, topology: VhostActor) {
    this.broker = broker;
    this.topology = topology;
  }

  /** Some of those that are due soonest. Does only so much at a time as the event loop bears. */
  list(queue: string, { after, count, encoding, truncate }: DelayedRequest): DelayedPage {
    const { clock } = this.broker.core;
    const { entries, exact } = this.topology.delaysOf(queue).soonest(count, after);
    const untilMs = clock.monotonicMs() + LIST_MS_MAX;
    const messages: DelayedView[] = [];
    let bytes = 0;
    for (const entry of entries) {
      messages.push(this.view(entry, encoding, truncate));
      bytes += entry.bodyBytes;
      if (bytes >= LIST_BYTES_MAX || clock.monotonicMs() >= untilMs) break;
    }
    const more = messages.length < entries.length || entries.length === count;
    return { messages, next: more ? (entries[messages.length - 1] ?? null) : null, exact };
  }

  /** How many wait. */
  count(queue: string): number {
    return this.topology.delaysOf(queue).count;
  }

  /** Sends all now, or drops them; returns how many. */
  handleAll(queue: string, action: DelayedAction): number {
    return this.topology.handleDelayed(queue, action, null);
  }

  /** The same with the one of this id; false: none waits under it. */
  handle(queue: string, action: DelayedAction, id: string): boolean {
    const parts = ID.exec(id);
    const places = parts === null ? [] : [{ dueMs: Number(parts[1]), id: Number(parts[2]) }];
    return this.topology.handleDelayed(queue, action, places) === 1;
  }

  /** One that cannot be read is shown with the reason: it can be dropped by its id. */
  private view(entry: DelayEntry, encoding: PayloadEncoding, truncate: number): DelayedView {
    const { log, line, time } = this.broker.core;
    const { dueMs, id, returns, bodyBytes, flags, position } = entry;
    const known = { id: `${dueMs}-${id}`, due_at: time.wallOf(dueMs), returns };
    const { begun } = line;
    try {
      const message = readMessage(log, position);
      return {
        ...known,
        ...viewMessage(message, (flags & DELAYED_RETURNED) !== 0, encoding, truncate),
        arrived_at: time.wallOf(arrivedMsAt(log, position)),
        truncated: message.body.length > truncate,
      };
    } catch (error) {
      if (line.begun !== begun) throw error;
      return { ...known, payload_bytes: bodyBytes, error: (error as Error).message };
    }
  }
}
