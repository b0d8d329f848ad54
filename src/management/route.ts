// Owns the words that routes are written in. Never serves one: app.ts does.

import type { Pieces } from './answers/json-pieces.ts';
import type { Call } from './call.ts';
import type { BodyKind } from './http/bodies.ts';
import type { AccessLevel } from './principal.ts';

/** An answer with a status of its own. */
export class Answer {
  readonly status: number;
  readonly body: object | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    body: object | null = null,
    headers: Readonly<Record<string, string>> = {},
  ) {
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** What a route returns: JSON, a list in pieces, an answer with a status, or nothing, which is 204. */
export type Result = object | Pieces | Answer | undefined;

/** One method of one path below `/api`. */
export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  /** What it takes to use it; null: nothing, not even a login. */
  readonly level: AccessLevel | null;
  /** Whether a setting may open it to probes, which have no login. */
  readonly probe?: true;
  /** What it takes as a body; left out: some names and values. */
  readonly body?: BodyKind;
  /** Whether it changes what one group of a cluster decides about for all: users, permissions, vhosts. */
  readonly directory?: true;
  run(call: Call): Result | Promise<Result>;
}

type Run = Route['run'];

/** A route that reads. */
export function get(path: string, level: AccessLevel | null, run: Run): Route {
  return { method: 'GET', path, level, run };
}

/** A route that probes read. */
export function probe(path: string, run: Run): Route {
  return { method: 'GET', path, level: 'management', probe: true, run };
}

export function put(path: string, level: AccessLevel, run: Run): Route {
  return { method: 'PUT', path, level, run };
}

export function post(path: string, level: AccessLevel, run: Run, body: BodyKind = 'small'): Route {
  return { method: 'POST', path, level, run, body };
}

export function remove(path: string, level: AccessLevel, run: Run): Route {
  return { method: 'DELETE', path, level, run };
}

/** Routes about the directory of a cluster: those that change something go to the group that decides about it. */
export function ofDirectory(...routes: readonly Route[]): Route[] {
  return routes.map((route) => (route.method === 'GET' ? route : { ...route, directory: true }));
}

/** 201 for what is new, 204 for what was there, once it is durable. */
export async function saved(call: Call, isNew: boolean): Promise<Answer> {
  await call.view.settled();
  return new Answer(isNew ? 201 : 204);
}

/** 204, once it is durable. */
export async function done(call: Call): Promise<undefined> {
  await call.view.settled();
  return undefined;
}
