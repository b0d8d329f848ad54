// Owns the routes that pause and resume taking connections of AMQP. Never closes one that is there.

import { wordOf } from '../../util/json/json.ts';
import type { Call } from '../call.ts';
import { badRequest } from '../http-error.ts';
import { get, put, type Route } from '../route.ts';

export const LISTENER_ROUTES: readonly Route[] = [
  get('/leveret/listeners', 'management', state),
  put('/leveret/listeners', 'administrator', async (call) => {
    const { suspended } = call.object('suspended');
    if (typeof suspended !== 'boolean') {
      throw badRequest(`suspended must be true or false, not ${wordOf(suspended)}`);
    }
    const { intake } = call.view.snapshots.host;
    const { log } = call.context;
    const user = call.principal.name;
    if (suspended) {
      intake.suspend();
      log.warn({ user }, 'listeners suspended: no new connection is taken until they are resumed');
    } else {
      await intake.resume();
      log.info({ user }, 'listeners resumed');
    }
    return state(call);
  }),
];

function state(call: Call): object {
  return { suspended: call.view.snapshots.host.intake.suspended };
}
