// However much users made, no answer of the HTTP API goes over more than a part of it between two turns of the
// event loop: each route that reads is tried, as an administrator and as a user that sees little.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { piecesOfResult } from '../../src/management/answers/json-pieces.ts';
import { ROUTES } from '../../src/management/app.ts';
import { Call } from '../../src/management/call.ts';
import { HttpError } from '../../src/management/http-error.ts';
import { Attempts, type Principal, reaches } from '../../src/management/principal.ts';
import { Answer, type Route } from '../../src/management/route.ts';
import { TimeSlice, walked } from '../../src/management/time-slice.ts';
import { Exposition } from '../../src/metrics/exposition.ts';
import { Crowd, LOOKER } from './crowd.ts';
import { Visits } from './visits.ts';

/** So many of each thing there are. */
const COUNT = 1500;
const FEW = 10;
/** A turn may go over fewer: a slice of 200 and one more step, which sorts 512 rows at most. */
const MOST = 1200;

const ADMINISTRATOR: Principal = { name: 'guest', tags: ['administrator'] };
/** With permissions in all vhosts, and in none. */
const LITTLE: readonly Principal[] = [
  { name: LOOKER, tags: ['management'] },
  { name: 'alone', tags: ['management'] },
];

/** Queries beside none. */
const QUERIES: readonly Record<string, string>[] = [
  {},
  { page: '1', page_size: '500', name: '9', use_regex: 'true', sort: 'name', sort_reverse: 'true' },
  { columns: 'name,vhost' },
];

/** What streams alone have. */
const OF_STREAMS = /\/(groups|readers|publishers.*)$/;

/** What the parts of paths are: the thing that is found last, or that many others belong to. */
function paramsOf({ path }: Route, crowd: Crowd): Readonly<Record<string, string>> {
  const last = crowd.count - 1;
  const values: Record<string, string> = {
    vhost: '/',
    user: LOOKER,
    component: 'federation-upstream-set',
    source: 'amq.direct',
    kind: 'q',
    destination: 'bound',
    key: 'none',
    exchange: `x${last}`,
    node: 'leveret@localhost',
    id: '1',
    within: '1',
    unit: 'days',
    port: '1',
    protocol: 'none',
    filter: 'none',
    publisher: 'none',
  };
  const names: readonly (readonly [start: string, name: string])[] = [
    ['/queues', path.endsWith('/bindings') ? 'bound' : OF_STREAMS.test(path) ? 'read' : 'heard'],
    ['/exchanges', 'amq.direct'],
    ['/connections', `shadow ${last}`],
    ['/channels', crowd.channel],
    ['/policies', `p${last}`],
    ['/operator-policies', `o${last}`],
    ['/parameters', `n${last}`],
    ['/global-parameters', `g${last}`],
    ['/settings', 'log.level'],
    ['/schedules', `s${last}`],
    ['/super-streams', 'amq.direct'],
  ];
  const name = names.find(([start]) => path.startsWith(start))?.[1];
  const all = name === undefined ? values : { ...values, name };
  const params = [...path.matchAll(/:(\w+)/g)].map((match) => match[1] as string);
  return Object.fromEntries(
    params.map((param) => {
      const value = all[param];
      if (value === undefined) throw new Error(`say here what :${param} of ${path} is`);
      return [param, value];
    }),
  );
}

/** Answers a call as app.ts does, without the network; returns how long the answer is. */
async function answer(
  crowd: Crowd,
  visits: Visits,
  route: Route,
  principal: Principal,
  query: object,
) {
  const request = { params: paramsOf(route, crowd), query, headers: {} };
  const context = crowd.context(visits.clock);
  try {
    return await visits.watch(async () => {
      const call = new Call(context, principal, new Attempts(), request, () => ({}));
      const result = await route.run(call);
      if (result === undefined || result instanceof Answer) return 0;
      const pieces = await piecesOfResult(result, call.timeSlice, (row) => row);
      return pieces.reduce((chars, piece) => chars + piece.length, 0);
    });
  } catch (error) {
    if (error instanceof HttpError || (error as Error).name === 'Refusal') return 0;
    throw error;
  }
}

let crowd: Crowd;
let few: Crowd;

/** Reads metrics; returns the most visits of a turn. */
async function scrape(of: Crowd, url: string): Promise<number> {
  const visits = new Visits(50);
  const exposition = new Exposition(of.context(visits.clock), {
    perObject: false,
    path: '/metrics',
  });
  let text = '';
  await visits.watch(async () => {
    const response = new Writable({
      write(chunk, _encoding, done) {
        text += chunk;
        setImmediate(done);
      },
    });
    const request = { url, headers: {}, socket: {} } as unknown as IncomingMessage;
    const served = Object.assign(response, { writeHead: () => response });
    await exposition.serve(request, served as unknown as ServerResponse);
  });
  expect(text).toContain('rabbitmq_queue_messages_ready');
  return visits.most;
}

/** Routes that are no looks, and why they may take longer. */
const NO_LOOK: Readonly<Record<string, string>> = {
  '/aliveness-test/:vhost':
    'declares a queue: each policy of the vhost is asked whether it holds for that',
};

const reading = ROUTES.filter(({ method, path }) => method === 'GET' && !(path in NO_LOOK));

beforeAll(async () => {
  crowd = new Crowd(COUNT);
  few = new Crowd(FEW);
  await Promise.all([crowd.start(), few.start()]);
});

afterAll(() => Promise.all([crowd.close(), few.close()]));

afterEach(() => vi.restoreAllMocks());

test.each(reading)('GET $path rests on its way over many things', async (route) => {
  const visits = new Visits(50);
  for (const principal of [ADMINISTRATOR, ...LITTLE]) {
    if (route.level !== null && !reaches(principal.tags, route.level)) continue;
    for (const query of QUERIES) {
      await answer(crowd, visits, route, principal, query);
      expect(visits.most, `${principal.name} ${JSON.stringify(query)}`).toBeLessThan(MOST);
    }
  }
});

test.each(reading)('GET $path is answered in one step where there is little', async (route) => {
  const rest = vi.spyOn(TimeSlice.prototype, 'rest');
  await answer(few, new Visits(2000), route, ADMINISTRATOR, {});
  expect(rest).not.toHaveBeenCalled();
});

test.each(['/metrics', '/metrics/per-object'])('%s rests on its way as well', async (url) => {
  // What is true of the broker as a whole takes its time whatever there is.
  const constant = await scrape(few, url);
  expect(await scrape(crowd, url)).toBeLessThan(constant + MOST);
});

test('samples for rates are taken with rests', async () => {
  const visits = new Visits(50);
  const { view, clock } = crowd.context(visits.clock);
  await visits.watch(() => walked(view.snapshots.sample(), new TimeSlice(clock)));
  expect(visits.turns).toBeGreaterThan(COUNT / 200);
  expect(visits.most).toBeLessThan(MOST);
});

test('the crowd is one: answers that show all of it are long, and take many turns', async () => {
  const visits = new Visits(50);
  for (const path of ['/queues', '/connections', '/channels', '/consumers', '/permissions']) {
    const route = reading.find((each) => each.path === path) as Route;
    const chars = await answer(crowd, visits, route, ADMINISTRATOR, {});
    expect(chars, path).toBeGreaterThan(COUNT * 50);
    expect(visits.turns, path).toBeGreaterThan(COUNT / 200);
  }
});
