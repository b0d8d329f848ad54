// The types of a crash test's history and of the verdict on it; check.mjs holds the rules.

/** What a process noted down, in the order it happened. `t` is the machine's monotonic clock. */
export type Entry =
  /** A connection with one channel; `t` is when the attempt that succeeded began. */
  | {
      e: 'open';
      conn: string;
      t: number;
      /** In a cluster: which node it goes to, and when it was there; and the term of its leader, as the supervisor finds it. */
      host?: number;
      at?: number;
      /** Its own port, by which a broker names it in its log. */
      port?: number;
      spawn?: number;
    }
  /** A publish about to be sent; `to` names every queue that must get it. */
  | {
      e: 'pub';
      conn: string;
      tag: number;
      pub: string;
      seq: number;
      to: string[];
      persistent: boolean;
      priority: number;
      /** How long it is to wait, ms; left out: not at all. */
      delay?: number;
      t?: number;
      /** Publishes of one transaction share it; null outside of transactions. */
      group: string | null;
      /** Of the messages with this key its queue takes one. */
      once?: string;
    }
  /** A confirm, as it came from the broker; tx.commit-ok counts as one with `multiple`. */
  | {
      e: 'conf';
      conn: string;
      tag: number;
      multiple: boolean;
      t?: number;
      /** It was not there yet at this time. */
      since?: number;
    }
  /** The broker's basic.nack of a publish. */
  | { e: 'refuse'; conn: string; tag: number; multiple: boolean }
  | { e: 'return'; conn: string; pub: string; seq: number }
  /** A delivery; `fault` says what of the message was changed. */
  | {
      e: 'dlv';
      conn: string;
      t: number;
      /** It was not there yet at this time; for queues with leases. */
      since?: number;
      tag: number;
      queue: string;
      pub: string;
      seq: number;
      redelivered: boolean;
      priority: number;
      /** `x-delivery-count`, 0 where there is none. */
      count: number;
      fault: string | null;
    }
  /** A delivery of a stream to the consumer of a group. */
  | {
      e: 'read';
      conn: string;
      t: number;
      tag: number;
      queue: string;
      offset: number;
      pub: string;
      seq: number;
      fault: string | null;
    }
  /** A stream as a whole: offset and id of each message up to the last that was there at `t`, and what of them was changed. */
  | {
      e: 'reading';
      t: number;
      spawn?: number;
      queue: string;
      messages: [offset: number, id: string][];
      faults: string[];
      /** The last one of the part before, when all of it had been read and acked by the group. */
      before?: true;
    }
  | {
      e: 'settle';
      conn: string;
      t?: number;
      tag: number;
      multiple: boolean;
      how: 'ack' | 'requeue' | 'reject' | 'hand';
    }
  /** The broker has confirmed that a lease goes on until then, at least. */
  | { e: 'prolonged'; conn: string; tag: number; until: number }
  /** A client that gave up its connection. */
  | { e: 'leave'; conn: string; t: number }
  /** A persistent publish on the channel of the acks before it, and its confirm. */
  | { e: 'barrier'; conn: string; n: number }
  | { e: 'passed'; conn: string; n: number; t: number };

export type Journal = Entry[];

/** Something the supervisor looked up in the broker after a restart. */
export type Lookup = { what: string; name: string; expected: boolean; found: boolean };

export type QueuePlan = {
  ordered: boolean;
  deadLetterTo: string | null;
  /** Why the queue moves messages by itself; without it they move when they are rejected. */
  diesOf?: 'expired' | 'maxlen' | 'delivery_limit';
  /** What has moved is delivered once that is durable: no kill undoes a move that was seen. */
  held?: boolean;
  /** It delivers after the commit: what was seen of it is in all queues of its publish. */
  sure?: boolean;
  deliveryLimit?: number;
  priorityMax?: number;
  /** Messages wait so long at most, ms. */
  delayMax?: number;
  /** What the delays of those that come back are made of, ms. */
  retryMin?: number;
  /** How long a delivery is its worker's, ms. */
  leaseMs?: number;
  /** Groups of each publisher, by the number of the message. */
  groups?: number;
  /** It drops duplicates: of all messages with a key; or while one of them is there. */
  once?: true | 'ack';
  /** It is a stream, and keeps so many messages at least. */
  keeps?: number;
  /** The group that reads it. */
  group?: string;
};

export type History = {
  /** When each broker process was started, oldest first. */
  spawns: number[];
  /** In a cluster: the terms of its leaders, which stand for broker processes then, and when each was known to have begun. */
  terms?: { epoch: number; t: number }[];
  /** When leaders were paused, by their terms. */
  pauses?: { epoch: number; t: number }[];
  /** Leaders, by their terms, whose lease another node whose clock ran ahead may have taken for over. */
  hurries?: number[];
  /** When the cables of leaders were pulled, by their terms. */
  pulls?: { epoch: number; from: number; to: number }[];
  /** The last spawn is the only one that ended by a drain, up to which nothing was killed. */
  drainedSpawn: number;
  queues: Record<string, QueuePlan>;
  /** Per publisher, the highest seq of the parts already checked. */
  seqBase: Record<string, number>;
  journals: Record<string, Journal>;
  lookups: Lookup[];
  /** What schedules say that they have published, what is in their queue, and how much can be there by then. */
  ticks: { published: number; found: number; most: number }[];
  /** Promises about time and processes the supervisor saw broken. */
  incidents: { rule: string; text: string }[];
};

export type Violation = { rule: string; text: string };

export type Verdict = { violations: Violation[]; counts: Record<string, number> };

export function check(history: History): Verdict;
export const RULES: Record<string, string>;
