// Owns which messages of one exchange are duplicates of earlier ones, by its rule. Never routes a message, and never
// keeps the keys itself: queue/duplicates/ does.

import { integerOf } from '../../amqp/field-integers.ts';
import { EXPIRY_MAX_MS } from '../queue/arguments/argument-values.ts';
import { DEATHS_HEADER } from '../queue/duplicates/came-before.ts';
import { type DuplicateRule, TTL_HEADER } from '../queue/duplicates/duplicate-rule.ts';
import type { KeyRows } from '../queue/duplicates/key-rows.ts';
import type { KeySweep } from '../queue/duplicates/key-sweep.ts';
import { type KeysOwner, SeenKeys } from '../queue/duplicates/seen-keys.ts';
import type { Dirty } from '../queue/ports.ts';
import type { RoutedMessage } from './exchange-router.ts';
import { HeaderName } from './types/header-name.ts';

const TTL = new HeaderName(TTL_HEADER);
const DEATHS = new HeaderName(DEATHS_HEADER);
/** All keys of an exchange last until a time. */
const TIMED = 0;

/** What it needs of the broker. */
export interface KeyHome {
  readonly nowMs: number;
  readonly keyRows: KeyRows;
  sweep(sweep: KeySweep): void;
  listDirty(dirty: Dirty): void;
}

/** The exchange, as its keys see it. */
export interface KeyedExchange {
  readonly durable: boolean;
  readonly deleted: boolean;
  /** Under which id the store has its keys; 0: it has none yet. */
  readonly keysId: number;
  /** Takes an id: keys will be stored. */
  takeKeysId(): void;
}

/** The key of a message that an exchange does not know yet. */
export interface NewKey {
  readonly duplicates: ExchangeDuplicates;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly untilMs: number;
}

/** What is found of a message: it has no key, or is no duplicate though its key is known; or it is one; or its key. */
export type KeyLook = 'passes' | 'duplicate' | NewKey;

/** The keys of one exchange. */
export class ExchangeDuplicates implements KeysOwner, Dirty {
  readonly keysLast = 'time';
  dirty = false;
  private readonly keys: SeenKeys;
  private readonly exchange: KeyedExchange;
  private readonly home: KeyHome;
  private rule: DuplicateRule;
  private header: HeaderName;
  /** Whether what the store has is known. */
  private read = false;

  constructor(exchange: KeyedExchange, home: KeyHome, rule: DuplicateRule) {
    this.exchange = exchange;
    this.home = home;
    this.rule = rule;
    this.header = new HeaderName(rule.header.toString());
    this.keys = new SeenKeys(this, home.keyRows);
  }

  get keysId(): number {
    return this.exchange.keysId;
  }

  get keysMax(): number {
    return this.rule.keysMax;
  }

  get nowMs(): number {
    return this.home.nowMs;
  }

  get deleted(): boolean {
    return this.exchange.deleted;
  }

  /** Goes by another rule from now on. */
  goBy(rule: DuplicateRule): void {
    this.rule = rule;
    this.header = new HeaderName(rule.header.toString());
  }

  /** Looks a message up; nothing changes. */
  look(message: RoutedMessage): KeyLook {
    if (!this.read) this.forgetStored();
    const field = message.header(this.header);
    if (field === null) return 'passes';
    const { keys } = this;
    keys.key.read(field);
    if (keys.has()) {
      // What was published once is no duplicate of itself as a dead letter.
      const deaths = message.header(DEATHS);
      return deaths?.type === 'A' && deaths.value.length > 0 ? 'passes' : 'duplicate';
    }
    const { a, b, c } = keys.key;
    const own = integerOf(message.header(TTL) ?? undefined);
    const ttlMs = own === null || own < 0 ? this.rule.ttlMs : Number(own);
    const untilMs = ttlMs > EXPIRY_MAX_MS ? Infinity : this.home.nowMs + ttlMs;
    return { duplicates: this, a, b, c, untilMs };
  }

  /** Whether a key is known that was not when it was looked up. */
  knows(key: NewKey): boolean {
    this.put(key);
    return this.keys.has();
  }

  /** Adds a key, unless it is known. `stored`: its message is in the batch being gathered. */
  add(key: NewKey, stored: boolean): void {
    if (this.deleted) return;
    const kept = stored && this.exchange.durable;
    if (kept && this.keysId === 0) this.exchange.takeKeysId();
    if (!this.knows(key)) this.keys.add(TIMED, key.untilMs, kept);
  }

  /** Takes a key back that was added. */
  forget(key: NewKey): void {
    this.put(key);
    this.keys.forget(true);
  }

  lasts(_lane: number, value: number): boolean {
    return value > this.home.nowMs;
  }

  keysDirty(): void {
    if (!this.dirty) this.home.listDirty(this);
  }

  keysLeftBehind(sweep: KeySweep): void {
    this.home.sweep(sweep);
  }

  sealInto(): void {
    this.keys.sealInto();
  }

  durableUpTo(): void {}

  /** Reads the keys back from the store. */
  recover(): void {
    this.read = true;
    this.keys.recover();
  }

  /** Forgets all. */
  clear(): void {
    if (!this.read) this.recover();
    this.keys.clear();
  }

  private put({ a, b, c }: NewKey): void {
    const { key } = this.keys;
    key.a = a;
    key.b = b;
    key.c = c;
  }

  /** What the store has of a time before the exchange looked for duplicates says nothing now. */
  private forgetStored(): void {
    this.recover();
    this.keys.clear();
  }
}
