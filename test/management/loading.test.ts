// Whether what serves HTTP is loaded a piece at a time, so that the first request holds up nobody.

import { Server } from 'node:http';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { buildApp, ROUTES } from '../../src/management/app.ts';
import type { Context } from '../../src/management/context.ts';
import { loadModules } from '../../src/management/http/load-modules.ts';
import type { TimeSlice } from '../../src/management/time-slice.ts';

/** Counts the moments at which others may have their turn. */
function counting(): { rests: number; timeSlice: TimeSlice } {
  const count = { rests: 0 };
  const rest = async (): Promise<void> => {
    count.rests += 1;
  };
  return Object.assign(count, { timeSlice: { due: true, rest } as unknown as TimeSlice });
}

test('others have their turn between the pieces of the HTTP library and between its routes', async () => {
  const loading = counting();
  await loadModules(loading.timeSlice);
  expect(loading.rests).toBeGreaterThan(8);
  const building = counting();
  const context = { bodyBytesMax: 1000 } as Context;
  const app = await buildApp(context, new Server(), () => {}, building.timeSlice);
  expect(building.rests).toBeGreaterThan(ROUTES.length);
  await app.close();
});

test('what compiles schemas is not loaded, since there are none', async () => {
  await loadModules(counting().timeSlice);
  const app = await buildApp({} as Context, new Server(), () => {}, counting().timeSlice);
  await app.close();
  const loaded = Object.keys(createRequire(import.meta.url).cache);
  expect(loaded.filter((path) => /node_modules\/fastify\//.test(path))).not.toEqual([]);
  expect(loaded.filter((path) => /node_modules\/ajv\//.test(path))).toEqual([]);
});
