// Owns one request of the HTTP API as routes see it: its user, what it asks for, and its body. Never routes.

import type { ToolActor } from '../broker/view/tool-actor.ts';
import { type JsonObject, type JsonValue, numberOf, objectOf, wordOf } from '../util/json/json.ts';
import type { Rows, Walk } from '../util/rows.ts';
import type { Context } from './context.ts';
import { badRequest, HttpError, notAuthorised, notFound } from './http-error.ts';
import { type AccessLevel, type Attempts, type Principal, reaches } from './principal.ts';
import { collected, TimeSlice, walked } from './time-slice.ts';

/** The default exchange in paths. */
const DEFAULT_EXCHANGE = 'amq.default';

/** A request that was let in. */
export class Call {
  readonly context: Context;
  readonly principal: Principal;
  readonly params: Readonly<Record<string, string>>;
  /** The first value of each name. */
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly attempts: Attempts;
  /** What leaves the event loop to others while this is answered. */
  readonly timeSlice: TimeSlice;
  private readonly givenQuery: Readonly<Record<string, unknown>>;
  private readonly body: () => JsonValue;

  constructor(
    context: Context,
    principal: Principal,
    attempts: Attempts,
    request: {
      readonly params: unknown;
      readonly query: unknown;
      readonly headers: Call['headers'];
    },
    body: () => JsonValue,
  ) {
    this.context = context;
    this.timeSlice = new TimeSlice(context.clock);
    this.principal = principal;
    this.attempts = attempts;
    this.params = request.params as Record<string, string>;
    this.givenQuery = request.query as Record<string, unknown>;
    this.query = flatten(this.givenQuery);
    this.headers = request.headers;
    this.body = body;
  }

  get view(): Context['view'] {
    return this.context.view;
  }

  /** All values that the query gives for a name. */
  all(name: string): readonly string[] {
    const given = this.givenQuery[name];
    return given === undefined ? [] : Array.isArray(given) ? given.map(String) : [String(given)];
  }

  /** A part of the path; '' where it has none. */
  param(name: string): string {
    return this.params[name] ?? '';
  }

  /** The name of an exchange in the path. */
  exchange(name: string): string {
    const given = this.param(name);
    return given === DEFAULT_EXCHANGE ? '' : given;
  }

  /** Whether a flag of the query is set. */
  flag(name: string): boolean {
    return this.query[name] === 'true';
  }

  // --- rights ---

  /** Whether the user has as many rights as that. */
  reaches(level: AccessLevel): boolean {
    return reaches(this.principal.tags, level);
  }

  /** The vhosts whose objects lists show to the user: those it may enter; all to administrators. */
  vhosts(): Rows<string> {
    const all = this.view.snapshots.vhostNames;
    return this.reaches('administrator') ? all : this.entered(all);
  }

  private *entered(names: Iterable<string>): Rows<string> {
    for (const vhost of names) yield this.view.mayEnter(this.principal.name, vhost) ? vhost : null;
  }

  /** The vhosts that the user sees the figures and limits of: all of them from `monitoring` on. */
  watchedVhosts(): Rows<string> {
    return this.reaches('monitoring') ? this.view.snapshots.vhostNames : this.vhosts();
  }

  /** The vhost of the path, which the user has a permission in, or is an administrator of. */
  vhost(): string {
    const name = this.param('vhost');
    if (!this.view.snapshots.hasVhost(name)) throw notFound();
    if (!this.reaches('administrator') && !this.view.mayEnter(this.principal.name, name)) {
      throw notAuthorised('User not authorised to access virtual host');
    }
    return name;
  }

  /** The vhost of the path alone, or all that lists show to the user where it has none. */
  vhostOrAll(): Rows<string> {
    return this.params['vhost'] === undefined ? this.vhosts() : [this.vhost()];
  }

  /** The user, to act in the vhost of the path. */
  actor(): ToolActor {
    const vhost = this.vhost();
    const { name, local } = this.principal;
    if (local === true) return this.view.localActor(name, vhost);
    if (!this.view.mayEnter(this.principal.name, vhost)) {
      throw notAuthorised('User not authorised to access virtual host');
    }
    return this.view.actor(this.principal.name, vhost);
  }

  // --- looking at many things ---

  /** What a walk comes to, with rests on the way. */
  walked<T>(walk: Walk<T>): Promise<T> {
    return walked(walk, this.timeSlice);
  }

  /** All rows of a list, with rests on the way. */
  collected<T>(rows: Rows<T>): Promise<T[]> {
    return collected(rows, this.timeSlice);
  }

  /** The first row that is wanted, with rests on the way; 404 where there is none. */
  async first<T>(rows: Rows<T>, wanted: (row: T) => boolean = () => true): Promise<T> {
    return this.found(await this.firstOf(rows, wanted));
  }

  /** Whether any row is wanted, with rests on the way. */
  async any<T>(rows: Rows<T>, wanted: (row: T) => boolean): Promise<boolean> {
    return (await this.firstOf(rows, wanted)) !== null;
  }

  private async firstOf<T>(rows: Rows<T>, wanted: (row: T) => boolean): Promise<T | null> {
    for (const row of rows) {
      if (row !== null && wanted(row)) return row;
      if (this.timeSlice.due) await this.timeSlice.rest();
    }
    return null;
  }

  // --- the body ---

  /** The body as JSON; an empty one is an empty object. */
  json(): JsonValue {
    return this.body();
  }

  /** The body as an object, with the keys that must be there. */
  object(...required: readonly string[]): JsonObject {
    const json = this.json();
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw badRequest('not_a_json_object', `a JSON object is wanted, and this is ${kindOf(json)}`);
    }
    const missing = required.filter((key) => (json as JsonObject)[key] === undefined);
    if (missing.length > 0) {
      throw badRequest(`[${missing.map((key) => `{key_missing,${key}}`).join(',')}]`);
    }
    return json as JsonObject;
  }

  /** Refuses with 404 what is not there. */
  found<T>(value: T | null | undefined): T {
    if (value === null || value === undefined) throw notFound();
    return value;
  }

  /** An error with a status. */
  fail(status: number, error: string, reason: string): never {
    throw new HttpError(status, error, reason);
  }
}

/** What a value of JSON that is no object is called. */
function kindOf(json: JsonValue): string {
  return Array.isArray(json) ? 'a list' : json === null ? 'null' : `a ${typeof json}`;
}

/** A key that is there several times counts with its first value, as in RabbitMQ. */
function flatten(query: Record<string, unknown>): Record<string, string> {
  const entries = Object.entries(query).map(([key, value]): [string, string] => [
    key,
    String(Array.isArray(value) ? value[0] : value),
  ]);
  return Object.fromEntries(entries);
}

/** A boolean of a body, which old tools write as text. */
export function booleanOf(name: string, value: JsonValue | undefined, otherwise: boolean): boolean {
  if (value === undefined || value === 'undefined') return otherwise;
  if (typeof value === 'boolean') return value;
  if (value === 'true') return true;
  if (value === 'false') return false;
  throw badRequest(`${name} must be true or false, not ${wordOf(value)}`);
}

/** A whole number of a body or a query within bounds, which may be written as text. */
export function integerOf(
  name: string,
  value: JsonValue | undefined,
  otherwise: number,
  max: number,
): number {
  if (value === undefined) return otherwise;
  const number = numberOf(value);
  const whole = Number.isSafeInteger(number) || typeof value === 'bigint';
  if (whole && number >= 0) return Math.min(number, max);
  throw badRequest(`${name} must be a whole number from 0 on, not ${wordOf(value)}`);
}

/** A text of a body. */
export function textOf(name: string, value: JsonValue | undefined, otherwise = ''): string {
  if (value === undefined) return otherwise;
  if (typeof value === 'string') return value;
  throw badRequest(`${name} must be a text, not ${wordOf(value)}`);
}

/** A table of arguments in a body: an object, or an empty list as some of RabbitMQ's tools write none. */
export function argumentsOf(body: JsonObject): JsonObject {
  const { arguments: given = {} } = body;
  const table = Array.isArray(given) && given.length > 0 ? null : objectOf(given);
  if (table === null) throw badRequest(`arguments must be an object, not ${wordOf(given)}`);
  return table;
}
