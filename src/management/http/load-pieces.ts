// Owns loading the code that serves HTTP, a piece at a time, so that the first request delays no other work
// for long. Never decides when that is: listen.ts does.

import { createRequire } from 'node:module';
import type { Breather } from '../breather.ts';

/**
 * What the HTTP library loads as it is loaded: each of them takes several milliseconds, and all in one go are a
 * tenth of a second and more. The list need not be right: what is not on it is loaded with the library.
 */
const PIECES = [
  'node:http',
  'node:https',
  'node:http2',
  'avvio',
  'semver',
  '@fastify/proxy-addr',
  'find-my-way safe-regex2 ret',
  'find-my-way safe-regex2',
  'find-my-way',
  './lib/errors',
  './lib/server',
  './lib/reply',
  './lib/request',
  './lib/route',
  'fastify',
  'ws',
];

/** What we use ourselves; the rest are found from the HTTP library. */
const OWN = new Set(['fastify', 'ws']);

/** Loads the pieces of the HTTP library, with a rest behind each. */
export async function loadPieces(breather: Breather): Promise<void> {
  const own = createRequire(import.meta.url);
  const library = createRequire(own.resolve('fastify'));
  for (const piece of PIECES) {
    loadOne(OWN.has(piece) ? own : library, piece.split(' '));
    await breather.rest();
  }
}

/** Loads the last of some packages, of which each uses the next. */
function loadOne(require: NodeJS.Require, [name, ...inner]: string[]): void {
  if (name === undefined) return;
  try {
    if (inner.length === 0) require(name);
    else loadOne(createRequire(require.resolve(name)), inner);
  } catch {
    // Another version of the library may do without it.
  }
}
