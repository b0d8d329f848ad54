// Owns loading the code that serves HTTP, a piece at a time, so that the first request delays no other work
// for long. Never decides when that is: listen.ts does.

import type { TimeSlice } from '../time-slice.ts';

/**
 * What the HTTP library loads as it is loaded: each of them takes several milliseconds, and all in one go are a
 * tenth of a second and more. The list need not be complete: what is not on it is loaded with the library. Each is an
 * import of its own, so that the bundle has each in a file of its own.
 */
const PIECES: readonly (() => Promise<unknown>)[] = [
  () => import('node:http'),
  () => import('node:https'),
  () => import('node:http2'),
  () => import('avvio'),
  () => import('semver'),
  () => import('@fastify/proxy-addr'),
  () => import('ret'),
  () => import('safe-regex2'),
  () => import('find-my-way'),
  () => import('fastify/lib/errors.js'),
  () => import('fastify/lib/server.js'),
  () => import('fastify/lib/reply.js'),
  () => import('fastify/lib/request.js'),
  () => import('fastify/lib/route.js'),
  () => import('fastify'),
  () => import('ws'),
];

/** Loads the pieces of the HTTP library, with a rest behind each. */
export async function loadModules(timeSlice: TimeSlice): Promise<void> {
  for (const load of PIECES) {
    await load();
    await timeSlice.rest();
  }
}
