// Owns the routes of schedules. Never reads what a schedule says: broker/view/schedules/schedule-actor.ts does.

import type { ScheduleRow } from '../../broker/view/schedules/schedule-rows.ts';
import type { Rows } from '../../util/rows.ts';
import { type Call, integerOf } from '../call.ts';
import { listWhole } from '../listing.ts';
import { done, get, post, put, type Route, remove, saved } from '../route.ts';

/** So many of the next times are shown unless more are asked for. */
const TIMES_SHOWN = 5;

export const SCHEDULE_ROUTES: readonly Route[] = [
  get('/schedules', 'policymaker', (call) => listWhole(call, rows(call))),
  get('/schedules/:vhost', 'policymaker', (call) => listWhole(call, rows(call))),
  get('/schedules/:vhost/:name', 'policymaker', (call) => existing(call)),
  {
    ...put('/schedules/:vhost/:name', 'policymaker', (call) => {
      const isNew = call.actor().schedules.set(call.param('name'), call.object());
      return saved(call, isNew);
    }),
    body: 'message',
  },
  remove('/schedules/:vhost/:name', 'policymaker', (call) => {
    call.view.deleteSchedule(call.vhost(), call.param('name'));
    return done(call);
  }),
  post('/schedules/:vhost/:name/run', 'policymaker', async (call) => {
    const error = await call.actor().schedules.run(call.param('name'));
    await call.view.settled();
    return { routed: error === null, error };
  }),
  get('/schedule-times', 'policymaker', (call) => {
    const { cron, every, time_zone, count } = call.query;
    const asked = {
      ...(cron === undefined ? {} : { cron }),
      ...(every === undefined ? {} : { every: Number(every) }),
      ...(time_zone === undefined ? {} : { time_zone }),
    };
    return { times: call.view.scheduleTimes(asked, integerOf('count', count, TIMES_SHOWN, 20)) };
  }),
];

function rows(call: Call): Rows<ScheduleRow> {
  return call.view.defined.schedules(call.vhostOrAll());
}

function existing(call: Call): Promise<object> {
  return call.first(rows(call), ({ name }) => name === call.param('name'));
}
