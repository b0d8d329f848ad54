// Owns which password is checked next, and how often an address may be wrong. Never compares a password:
// login.ts gives it that to do.

import { assert } from '../../util/assert.ts';
import type { Clock } from '../../util/clock.ts';
import { placeOf } from '../../util/system/address.ts';
import type { LoginAnswer } from './login-answer.ts';

/*
 *   address ──> line ──> one group for each user that is there   ──> checks, one for each password
 *                    └─> one group for all names that are not    ──> checks
 *
 * Addresses take turns, and in each address the groups do. So neither 3,000 wrong logins from elsewhere nor
 * as many from the same address, for other names, make a user wait for more than a few checks.
 *
 * Of two checks one goes by turns, the other to an address that was not wrong lately, and of these to the one
 * for which fewest checks wait. So however many addresses guess, another one waits for the checks under way, one
 * more, and those of addresses like it that came before; and turns come to all.
 */

/** So many checks run at a time: each takes a thread of the pool of four that also writes commits. */
const RUNNING_MAX = 2;
/** So many passwords of one name wait in a line, whether there is such a user or not. */
const NAME_MAX = 16;
/** So many checks of names that are not there wait in a line. */
const STRANGERS_MAX = 1024;
/** So many logins of one connection wait; requests that are pipelined past that are refused. */
const OWNER_MAX = 4;
/** So many checks wait in all; beyond, the newest of the line that has most gives way. */
const WAITING_MAX = 8192;
/** An address may be wrong so often at once, and gains so many tries a second. */
const TRIES_MAX = 20;
const TRIES_PER_SECOND = 5;
/** An address that was wrong is told from the others for so long. */
const WRONG_LATELY_MS = 60_000;
/** So many addresses without a check are remembered for having been wrong. */
const REMEMBERED_MAX = 4096;

/** The answer for a login that found too many others before it. */
const BUSY: LoginAnswer = {
  user: null,
  refusal: 'too many logins of this user or this connection wait for their check',
  busy: true,
};
const GONE: LoginAnswer = { user: null, refusal: 'the connection is gone', busy: true };

/** What the checks are made with. */
export interface CheckHost {
  readonly clock: Clock;
  /** Calls `LoginChecks.pump` once, that many milliseconds from now. */
  wake(delayMs: number): void;
}

/** A login to be checked. */
export interface LoginTry {
  readonly name: string;
  readonly password: string;
  readonly address: string;
  /** Whether there is a user of that name. */
  readonly known: boolean;
  /** The connection that asks; null: none, so that it cannot go. */
  readonly owner: object | null;
  /** Compares the password. */
  readonly check: () => Promise<LoginAnswer>;
}

/** One login that waits for the answer of a check. */
interface Ticket {
  readonly owner: object | null;
  readonly check: Check;
  readonly resolve: (answer: LoginAnswer) => void;
  readonly reject: (error: unknown) => void;
}

/** One password of one name from one address; logins that send the same share it. */
interface Check {
  readonly key: string;
  readonly name: string;
  readonly run: () => Promise<LoginAnswer>;
  readonly tickets: Set<Ticket>;
  readonly line: Line;
  readonly group: Map<string, Check>;
  running: boolean;
  /** A refusal that waits until those that came before it are answered. */
  refusal: LoginAnswer | null;
}

/** All that comes from one address. */
interface Line {
  readonly place: string;
  /** By name, the checks that wait; the name whose turn it is comes first. */
  readonly groups: Map<string, Map<string, Check>>;
  /** How many checks of each name wait. */
  readonly counts: Map<string, number>;
  /** All that are not answered, as they came. */
  readonly open: Set<Check>;
  /** How many checks wait. */
  waiting: number;
  tries: number;
  countedMs: number;
  /** When it was wrong last. */
  wrongMs: number;
}

/** The checks of all addresses. */
export class LoginChecks {
  private readonly host: CheckHost;
  /** By address; the one whose last turn is longest ago comes first. */
  private readonly lines = new Map<string, Line>();
  private readonly owned = new WeakMap<object, Set<Ticket>>();
  private running = 0;
  private waiting = 0;
  /** Those with checks that wait; the one whose turn it is comes first. */
  private readonly busy = new Set<Line>();
  /** Whether the next check goes by turns. */
  private byTurns = false;

  constructor(host: CheckHost) {
    this.host = host;
  }

  /** How many checks wait, and how many addresses are remembered: for tests. */
  get size(): { readonly waiting: number; readonly lines: number } {
    return { waiting: this.waiting, lines: this.lines.size };
  }

  /** Resolves with the answer for a login once it was its turn. */
  ask(wanted: LoginTry): Promise<LoginAnswer> {
    const { owner } = wanted;
    const owned = owner === null ? undefined : (this.owned.get(owner) ?? new Set<Ticket>());
    if (owned !== undefined && owned.size >= OWNER_MAX) return Promise.resolve(BUSY);
    const check = this.checkFor(wanted);
    if (check === null) return Promise.resolve(BUSY);
    return new Promise((resolve, reject) => {
      const ticket: Ticket = { owner, check, resolve, reject };
      check.tickets.add(ticket);
      if (owner !== null && owned !== undefined) this.owned.set(owner, owned.add(ticket));
      this.pump();
    });
  }

  /** The connection is gone: what it waits for need not be checked any more. */
  abandon(owner: object): void {
    for (const ticket of this.owned.get(owner) ?? []) {
      const { check } = ticket;
      check.tickets.delete(ticket);
      ticket.resolve(GONE);
      if (check.tickets.size === 0 && !check.running) this.close(check);
    }
    this.owned.delete(owner);
  }

  /** Starts checks as far as there is room for them. */
  pump(): void {
    while (this.running < RUNNING_MAX) {
      const check = this.next();
      if (check === null) return;
      this.start(check);
    }
  }

  /** The check that this login is to share, or a new one; null: there is no room. */
  private checkFor({ name, password, address, known, check: run }: LoginTry): Check | null {
    const place = placeOf(address);
    const line = this.lines.get(place) ?? this.addLine(place);
    const groupName = known ? `+${name}` : '';
    const group = line.groups.get(groupName) ?? new Map<string, Check>();
    const key = JSON.stringify([name, password]);
    const same = group.get(key);
    if (same !== undefined) return same;
    const count = line.counts.get(name) ?? 0;
    const strangers = known ? 0 : group.size;
    if (count >= NAME_MAX || strangers >= STRANGERS_MAX) return null;
    if (this.waiting >= WAITING_MAX && !this.makeRoom(line)) return null;
    const tickets = new Set<Ticket>();
    const check: Check = { key, name, run, tickets, line, group, running: false, refusal: null };
    group.set(key, check);
    line.groups.set(groupName, group);
    line.counts.set(name, count + 1);
    line.open.add(check);
    this.busy.add(line);
    line.waiting += 1;
    this.waiting += 1;
    return check;
  }

  /** Refuses one check of the line that has most, unless that is the one that asks. */
  private makeRoom(asking: Line): boolean {
    // A flood has more than its share, so that none of its logins looks through all lines.
    if (asking.waiting * this.busy.size > this.waiting) return false;
    let most = asking;
    for (const line of this.busy) if (line.waiting > most.waiting) most = line;
    if (most.waiting <= asking.waiting + 1) return false;
    let largest = new Map<string, Check>();
    for (const group of most.groups.values()) if (group.size > largest.size) largest = group;
    const newest = [...largest.values()].at(-1);
    assert(newest !== undefined, 'a line whose checks wait has a group of them');
    for (const ticket of this.ticketsOf(newest)) ticket.resolve(BUSY);
    this.close(newest);
    return true;
  }

  private addLine(place: string): Line {
    if (this.lines.size >= REMEMBERED_MAX) this.forgetLines();
    const countedMs = this.host.clock.monotonicMs();
    const line: Line = {
      place,
      groups: new Map(),
      counts: new Map(),
      open: new Set(),
      waiting: 0,
      tries: TRIES_MAX,
      countedMs,
      wrongMs: Number.NEGATIVE_INFINITY,
    };
    this.lines.set(place, line);
    return line;
  }

  /** Forgets addresses that wait for nothing: those not wrong lately, or else the oldest half. */
  private forgetLines(): void {
    const idle = [...this.lines].filter(([, { open }]) => open.size === 0);
    const nowMs = this.host.clock.monotonicMs();
    const clean = idle.filter(([, line]) => !isWrongLately(line, nowMs));
    const gone = clean.length > 0 ? clean : idle.slice(0, Math.ceil(idle.length / 2));
    for (const [place] of gone) this.lines.delete(place);
  }

  /** The next check of the next line that may try; null, with a call to come, when none may now. */
  private next(): Check | null {
    const nowMs = this.host.clock.monotonicMs();
    let soonestMs = Infinity;
    let line: Line | null = null;
    for (const each of this.busy) {
      const tries = this.refill(each);
      if (tries < 1) {
        soonestMs = Math.min(soonestMs, ((1 - tries) * 1000) / TRIES_PER_SECOND);
        continue;
      }
      if (line === null || isAhead(each, line, nowMs)) line = each;
      if (this.byTurns) break;
    }
    if (line === null) {
      if (soonestMs < Infinity) this.host.wake(soonestMs);
      return null;
    }
    this.byTurns = !this.byTurns;
    // What had its turn goes to the end, of addresses and of names.
    this.lines.delete(line.place);
    this.lines.set(line.place, line);
    this.busy.delete(line);
    this.busy.add(line);
    const [[name, group]] = line.groups as unknown as [[string, Map<string, Check>]];
    line.groups.delete(name);
    const [check] = group.values() as unknown as [Check];
    this.leave(check);
    if (group.size > 0) line.groups.set(name, group);
    return check;
  }

  private refill(line: Line): number {
    const nowMs = this.host.clock.monotonicMs();
    const gained = ((nowMs - line.countedMs) * TRIES_PER_SECOND) / 1000;
    line.tries = Math.min(TRIES_MAX, line.tries + Math.max(0, gained));
    line.countedMs = nowMs;
    return line.tries;
  }

  private start(check: Check): void {
    const { line } = check;
    check.running = true;
    line.tries -= 1;
    this.running += 1;
    const ended = (act: () => void): void => {
      this.running -= 1;
      act();
      this.pump();
    };
    check.run().then(
      (answer) => ended(() => this.answer(check, answer)),
      (error: unknown) =>
        ended(() => {
          line.open.delete(check);
          for (const ticket of this.ticketsOf(check)) ticket.reject(error);
          this.release(line);
        }),
    );
  }

  private answer(check: Check, answer: LoginAnswer): void {
    const { line } = check;
    if (answer.user === null) {
      check.refusal = answer;
      line.wrongMs = this.host.clock.monotonicMs();
    } else {
      // What was right costs no try, so that many clients of one address come back at once.
      line.tries = Math.min(TRIES_MAX, line.tries + 1);
      line.open.delete(check);
      for (const ticket of this.ticketsOf(check)) ticket.resolve(answer);
    }
    this.release(line);
  }

  /** Gives refusals in the order that logins came, so that their time does not tell which names exist. */
  private release(line: Line): void {
    for (const check of line.open) {
      if (check.refusal === null) return;
      line.open.delete(check);
      for (const ticket of this.ticketsOf(check)) ticket.resolve(check.refusal);
    }
  }

  /** The check does not wait any more. */
  private leave({ key, name, group, line }: Check): void {
    group.delete(key);
    this.waiting -= 1;
    line.waiting -= 1;
    if (line.waiting === 0) this.busy.delete(line);
    const count = (line.counts.get(name) ?? 1) - 1;
    if (count === 0) line.counts.delete(name);
    else line.counts.set(name, count);
  }

  private ticketsOf(check: Check): Ticket[] {
    const tickets = [...check.tickets];
    check.tickets.clear();
    for (const ticket of tickets) {
      if (ticket.owner !== null) this.owned.get(ticket.owner)?.delete(ticket);
    }
    return tickets;
  }

  /** Takes out a check that no login waits for. */
  private close(check: Check): void {
    const { line, group } = check;
    line.open.delete(check);
    if (group.get(check.key) === check) this.leave(check);
    for (const [name, each] of line.groups) if (each.size === 0) line.groups.delete(name);
    this.release(line);
  }
}

/** Whether a line goes before another where turns do not decide. */
function isAhead(line: Line, other: Line, nowMs: number): boolean {
  const wrong = isWrongLately(line, nowMs);
  if (wrong !== isWrongLately(other, nowMs)) return !wrong;
  return line.waiting < other.waiting;
}

function isWrongLately(line: Line, nowMs: number): boolean {
  return nowMs - line.wrongMs < WRONG_LATELY_MS;
}
