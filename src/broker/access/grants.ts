// Owns what one user may do in one vhost: its permissions, compiled, and the answers found so far.
// Never changes them: access.ts does.

import { AmqpError } from '../../amqp/errors.ts';
import { compilePattern, type Pattern, PatternError } from '../../util/pattern/pattern.ts';
import type { User } from './user.ts';

/** The three kinds of permission. */
export type Verb = 'configure' | 'write' | 'read';

/** Patterns of the names that a user may configure, write to and read from; '' is none at all. */
export interface Permission {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

/** Patterns of the routing keys that a user may write, and bind with, in one topic exchange. */
export interface TopicPermission {
  readonly write: string;
  readonly read: string;
}

/** What a check has to know of an exchange. */
export interface CheckedExchange {
  readonly name: string;
  readonly type: string;
}

/** Answers remembered of names; past this they are forgotten. */
const ANSWERS_MAX = 4096;
/** For each verb, the bit of 'asked before'; the bit above it is the answer. */
const ASKED: Readonly<Record<Verb, number>> = { configure: 1, write: 4, read: 16 };
/** What the default exchange is called in permissions. */
const DEFAULT_EXCHANGE = 'amq.default';

let nextSeed = 0;

/** The rights of one user in one vhost. It stays the same object while both are there. */
export class Grants {
  readonly user: User;
  readonly vhost: string;
  /** Keeps what is remembered of one apart from what is remembered of others. */
  readonly seed: number;
  private permission: Readonly<Record<Verb, Pattern>> | null = null;
  /** By exchange; null: none. */
  private topics: ReadonlyMap<string, TopicPermission> | null = null;
  /** Those of them that were asked for, compiled. */
  private readonly topicPatterns = new Map<string, Readonly<Record<'write' | 'read', Pattern>>>();
  private readonly answers = new Map<string, number>();

  constructor(user: User, vhost: string) {
    this.user = user;
    this.vhost = vhost;
    this.seed = nextSeed;
    nextSeed = (nextSeed + 7919) & 0xffff;
  }

  /** Sets the permission; null takes it away, and with it everything. */
  setPermission(permission: Permission | null): void {
    this.answers.clear();
    this.permission = permission === null ? null : compilePermission(permission, usable);
  }

  /**
   * Sets all topic permissions, by exchange; one without lets every routing key pass. They may be thousands: each
   * is compiled when it is asked for. Told again when any of them changes.
   */
  setTopicPermissions(all: ReadonlyMap<string, TopicPermission> | null): void {
    this.topicPatterns.clear();
    this.topics = all;
  }

  /** Whether the user may open the vhost at all. */
  get admitted(): boolean {
    return this.permission !== null;
  }

  /** Whether the user may do this with a queue or an exchange of that name. */
  may(verb: Verb, name: string): boolean {
    const asked = ASKED[verb];
    const known = this.answers.get(name) ?? 0;
    if ((known & asked) !== 0) return (known & (asked << 1)) !== 0;
    const allowed = this.permission?.[verb].matches(name) === true;
    if (this.answers.size >= ANSWERS_MAX) this.answers.clear();
    this.answers.set(name, known | asked | (allowed ? asked << 1 : 0));
    return allowed;
  }

  /** Whether the user may read from a queue of that name; no where its permission cannot be used. */
  reads(queue: string): boolean {
    try {
      return this.may('read', queue);
    } catch (error) {
      if (error instanceof AmqpError) return false;
      throw error;
    }
  }

  /** Throws ACCESS_REFUSED unless the user may do this with a queue. */
  requireQueue(verb: Verb, name: string): void {
    if (!this.may(verb, name)) throw this.refused(verb, `queue '${name}'`);
  }

  /** Throws ACCESS_REFUSED unless the user may do this with an exchange. */
  requireExchange(verb: Verb, name: string): void {
    const shown = name === '' ? DEFAULT_EXCHANGE : name;
    if (!this.may(verb, shown)) throw this.refused(verb, `exchange '${shown}'`);
  }

  /** Throws ACCESS_REFUSED unless the user may use this routing key or binding key. */
  requireTopic(verb: 'write' | 'read', exchange: CheckedExchange, key: string): void {
    if (exchange.type !== 'topic') return;
    const pattern = this.topicPattern(verb, exchange.name);
    if (pattern === null || pattern.matches(key)) return;
    throw this.refused(verb, `topic '${key}' in exchange '${exchange.name}'`);
  }

  private topicPattern(verb: 'write' | 'read', exchange: string): Pattern | null {
    if (this.topics === null) return null;
    const known = this.topicPatterns.get(exchange);
    if (known !== undefined) return known[verb];
    const permission = this.topics.get(exchange);
    if (permission === undefined) return null;
    const compiled = compileTopicPermission(permission, this.user.name, this.vhost, usable);
    this.topicPatterns.set(exchange, compiled);
    return compiled[verb];
  }

  private refused(verb: Verb, what: string): AmqpError {
    const where = `${what} in vhost '${this.vhost}'`;
    return new AmqpError(
      'ACCESS_REFUSED',
      `${verb} access to ${where} refused for user '${this.user.name}'`,
      { reason: 'access-refused' },
    );
  }
}

/** What the rights of a user are asked; each throws ACCESS_REFUSED. */
export type Rights = Pick<Grants, 'requireExchange' | 'requireQueue' | 'requireTopic'>;

/** Allows everything: for operators who have the data folder itself, and for what the broker does by itself. */
export const ALL_RIGHTS: Rights = {
  requireExchange: () => {},
  requireQueue: () => {},
  requireTopic: () => {},
};

type Compile = (pattern: string) => Pattern;

/** Compiles the three patterns. Throws a PatternError. */
export function compilePermission(
  { configure, write, read }: Permission,
  compile: Compile = compileGrant,
): Record<Verb, Pattern> {
  return { configure: compile(configure), write: compile(write), read: compile(read) };
}

/** Compiles the patterns with the variables {username} and {vhost} filled in. */
export function compileTopicPermission(
  { write, read }: TopicPermission,
  user: string,
  vhost: string,
  compile: Compile = compileGrant,
): Record<'write' | 'read', Pattern> {
  const expand = (pattern: string): string =>
    pattern
      .replaceAll('{username}', () => literal(user))
      .replaceAll('{vhost}', () => literal(vhost));
  return { write: compile(expand(write)), read: compile(expand(read)) };
}

/** An empty pattern grants nothing, where anywhere else it would match everything. */
function compileGrant(pattern: string): Pattern {
  return compilePattern(pattern === '' ? '^$' : pattern);
}

/**
 * The same for a pattern that was taken in before, maybe by a version with other rules. One that cannot be
 * used refuses, and says why: it neither grants nor looks like a name that does not match.
 */
function usable(pattern: string): Pattern {
  try {
    return compileGrant(pattern);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    const { message } = error;
    const refuse = (): never => {
      const advice = 'an administrator has to set the permission anew';
      throw new AmqpError('ACCESS_REFUSED', `access refused, since ${message}: ${advice}`);
    };
    return { text: pattern, matches: refuse };
  }
}

/** A name as a pattern that matches it alone. */
function literal(name: string): string {
  return name.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
