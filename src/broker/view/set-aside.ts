// Owns what tools see of what is set aside, and what they may do with it: try again, export, drop. Never
// lets a user see or touch more than the queue's own rights allow.

import { readMessage } from '../../message/read-message.ts';
import type { Rows } from '../../util/rows.ts';
import type { Grants } from '../access/grants.ts';
import type { Broker } from '../broker.ts';
import { Refusal } from '../errors.ts';
import { PUSH_STORED } from '../queue/push-flags.ts';
import { StreamRowSweep } from '../queue/stream/entries/stream-sweep.ts';
import type { SetAsideDefinition } from '../set-aside/set-aside-definitions.ts';
import type { SetAsideMessage } from '../set-aside/set-aside-rows.ts';
import type { Vhost } from '../vhost/vhost.ts';
import { type MessageView, viewMessage } from './message-json.ts';

/** So many bytes of a record that cannot be told apart are exported at most. */
const RAW_BYTES_MAX = 2 ** 20;

/** One thing that is set aside: a message, or a row that could not be read at the start. */
export interface SetAsideView {
  readonly id: string;
  /** `message`, or what the row is of: `queue`, `binding` ... */
  readonly kind: string;
  readonly vhost: string | null;
  /** The queue of a message, or what the row is called. */
  readonly name: string;
  /** What was being done with the message; `start` for rows. */
  readonly doing: string;
  readonly error: string;
  /** Of messages alone: the place in the queue, in the log, and the size of the body. */
  readonly seq?: number;
  readonly position?: number;
  readonly payload_bytes?: number;
  readonly persistent?: boolean;
  /** When it was set aside, ms since the Unix epoch. */
  readonly set_aside_at?: number;
}

/** How much is set aside. */
export interface SetAsideCounts {
  readonly messages: number;
  readonly definitions: number;
}

/** Whether a row is shown to a user that sees these vhosts; `global`: and what belongs to none. */
export function isSeen(
  { vhost, kind }: SetAsideDefinition,
  vhosts: ReadonlySet<string>,
  global: boolean,
): boolean {
  return vhost === null || kind === 'vhost' ? global : vhosts.has(vhost);
}

/** A message with its bytes, as far as they can be read. */
export interface SetAsideExport extends SetAsideView {
  /** The message; null where it cannot be told apart. */
  readonly message: MessageView | null;
  /** The bytes of the log from its record on, in base64; null where even they cannot be read. */
  readonly record: string | null;
}

export function viewSetAsideMessage(message: SetAsideMessage): SetAsideView {
  const { id, vhost, queue, doing, error, seq, position, bodyBytes, flags, atMs } = message;
  return {
    id: String(id),
    kind: 'message',
    vhost,
    name: queue,
    doing,
    error,
    seq,
    position,
    payload_bytes: bodyBytes,
    persistent: (flags & PUSH_STORED) !== 0,
    set_aside_at: atMs,
  };
}

export function viewSetAsideDefinition(definition: SetAsideDefinition): SetAsideView {
  const { id, kind, vhost, name, error } = definition;
  return { id, kind, vhost, name, doing: 'start', error };
}

/** What one user may do in one vhost with what is set aside. */
export class SetAsideActor {
  private readonly broker: Broker;
  private readonly vhost: Vhost;
  private readonly grants: Grants;

  constructor(broker: Broker, vhost: Vhost, grants: Grants) {
    this.broker = broker;
    this.vhost = vhost;
    this.grants = grants;
  }

  /** Those of a queue, which may be gone; the oldest first. */
  list(queue: string): Rows<SetAsideView> {
    this.grants.requireQueue('read', queue);
    return this.views(queue);
  }

  private *views(queue: string): Rows<SetAsideView> {
    for (const message of this.broker.core.setAside.list(this.vhost.name)) {
      yield message.queue === queue ? viewSetAsideMessage(message) : null;
    }
  }

  /** A message with all that is known of it. Throws a Refusal when there is none of that id. */
  export(queue: string, id: string): SetAsideExport {
    const [message] = this.of(queue, id) as [SetAsideMessage];
    const { log } = this.broker.core;
    let shown: MessageView | null = null;
    let record: string | null = null;
    try {
      const { bytes, offset } = log.read(message.position);
      record = bytes.subarray(offset, offset + RAW_BYTES_MAX).toString('base64');
      shown = viewMessage(readMessage(log, message.position), false, 'auto', RAW_BYTES_MAX);
    } catch {
      // That is why it was set aside.
    }
    return { ...viewSetAsideMessage(message), message: shown, record };
  }

  /** Puts one back into its queue, or all for the id `all`; returns how many. Throws a Refusal. */
  retry(queue: string, id: string): number {
    this.grants.requireExchange('write', '');
    const found = this.of(queue, id);
    const target = this.vhost.queues.get(queue);
    if (target === undefined) {
      const text = `there is no queue '${queue}': declare it first, or export the message`;
      throw new Refusal('not-found', text);
    }
    let retried = 0;
    for (const message of found) {
      if (!this.broker.core.setAside.retry(message, target)) break;
      retried += 1;
    }
    if (retried < found.length && id !== 'all') {
      throw new Refusal('invalid', `queue '${queue}' is full or set aside, and takes no message`);
    }
    return retried;
  }

  /** Drops one for good, or all for the id `all`; returns how many. */
  drop(queue: string, id: string): number {
    const found = this.of(queue, id);
    for (const message of found) this.broker.core.setAside.drop(message);
    return found.length;
  }

  private of(queue: string, id: string): SetAsideMessage[] {
    this.grants.requireQueue('read', queue);
    const all = [...this.broker.core.setAside.list(this.vhost.name, queue)];
    if (id === 'all') return all;
    const found = all.filter((message) => String(message.id) === id);
    if (found.length > 0) return found;
    throw new Refusal('not-found', `no message ${id} of queue '${queue}' is set aside`);
  }
}

/** Takes a row out of the store that is set aside; of a queue also its pages and marks. */
export function dropSetAsideRow(broker: Broker, id: string): void {
  const definition = broker.core.setAsideRows.find(id);
  if (definition === null) throw new Refusal('not-found', `no row ${id} is set aside`);
  if (definition.kind === 'vhost') {
    const text = `put vhost '${definition.name}' anew, and delete it then if it is not wanted`;
    throw new Refusal('invalid', text);
  }
  const { vhost, name, kind } = definition;
  const queueOf = kind === 'queue' ? vhost : null;
  const rows = queueOf === null ? [] : broker.definitionRows.queues(queueOf);
  const stored = rows.find(({ value }) => value.name === name);
  broker.core.line.change(() => {
    if (queueOf !== null) broker.vhosts.get(queueOf)?.removeStandIn(name);
    if (stored !== undefined) {
      broker.core.queueRows.removeAll(stored.value.id);
      broker.core.delayRows.removeAll(stored.value.id);
      broker.core.sweep(new StreamRowSweep(stored.value.id, broker.core.streamRows));
    }
    broker.core.setAsideRows.drop(definition);
    broker.core.definitionChanged();
  });
}
