// Owns the words between a queue and what is around it: what it is declared with and told of a
// message, and what it asks of its broker and its vhost. Never does anything.

import type { FieldTable } from '../../amqp/field-table.ts';
import type { ChangeLine } from '../core/change-line.ts';
import type { Slices, Steps } from '../core/slices.ts';
import type { RefusedLetters } from '../republish/refused-letters.ts';
import type { Queue } from './queue.ts';
import type { HeldEntry } from './queue-messages.ts';
import type { Sweep } from './sweeps.ts';

/** What `push` is told of a message; the priority stands from bit PUSH_PRIORITY_SHIFT on. */
export const PUSH_STORED = 1;
export const PUSH_EXPIRES = 2;
export const PUSH_PRIORITY = 4;
export const PUSH_PRIORITY_SHIFT = 8;

/** Why a message died, in the words of `x-death`. */
export type DeathReason = 'rejected' | 'expired' | 'maxlen' | 'delivery_limit';

/** What a queue needs of the broker around it. */
export interface QueueHost {
  /** The time of day as the turn began, ms since the Unix epoch. */
  readonly nowMs: number;
  readonly line: ChangeLine;
  readonly slices: Slices;
  readonly refusedLetters: RefusedLetters;
  /** Stored messages pushed since the last seal, and those of them not settled yet. */
  unsealedPushed: number;
  unsealedLive: number;
  /** Whether some queue is delivering: others, and those that it hands dead letters to, wait. */
  delivering: boolean;
  /** Asks that `deliver` be called at the end of this turn. */
  touch(queue: Queue): void;
  /** Asks that `deadlinePassed` be called once the time is `dueMs`. */
  watch(queue: Queue, dueMs: number): void;
  /** Asks that `sealInto` be called when the next batch is sealed. */
  listDirty(queue: Queue): void;
  /** Takes over pages that a purge left behind, to let go of them little by little. */
  sweep(sweep: Sweep): void;
  /** Asks that the batch being gathered be sealed without delay. */
  awaitBatch(): void;
}

/** What a queue needs of its vhost. */
export interface QueueHome {
  /**
   * Hands a message on to where the queue's dead letters go; it is still in the queue. Returns the steps of that,
   * not begun, where they are too many for one turn: the batch of the last one must have all of them.
   */
  deadLetter(queue: Queue, position: number, reason: DeathReason): Steps | null;
  /** Takes over a message that cannot be looked at; the queue lets go of it in the same turn. */
  setAside(queue: Queue, entry: HeldEntry, doing: string, error: unknown): void;
  /** The queue was unused for as long as it may be. */
  queueExpired(queue: Queue): void;
}

/** What a queue is declared with; redeclaration compares these. */
export interface QueueTraits {
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  /** The connection that an exclusive queue belongs to, else null. */
  readonly owner: object | null;
  readonly arguments: FieldTable;
}
