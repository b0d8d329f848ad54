// Owns the routes of what is set aside: messages that could not be looked at, rows that could not be read.

import type { Call } from '../call.ts';
import { list } from '../listing.ts';
import { done, get, post, type Route, remove } from '../route.ts';

export const SET_ASIDE_ROUTES: readonly Route[] = [
  get('/set-aside', 'management', all),
  get('/set-aside/:vhost', 'management', all),
  remove('/set-aside/rows/:id', 'administrator', (call) => {
    call.view.dropSetAsideRow(call.param('id'));
    return done(call);
  }),
  get('/queues/:vhost/:name/set-aside', 'management', (call) =>
    list(call, call.actor().setAside.list(call.param('name')), []),
  ),
  get('/queues/:vhost/:name/set-aside/:id', 'management', (call) =>
    call.actor().setAside.export(call.param('name'), call.param('id')),
  ),
  post('/queues/:vhost/:name/set-aside/:id/retry', 'management', async (call) => {
    const retried = call.actor().setAside.retry(call.param('name'), call.param('id'));
    await call.view.settled();
    return { retried };
  }),
  remove('/queues/:vhost/:name/set-aside/:id', 'management', (call) => {
    call.actor().setAside.drop(call.param('name'), call.param('id'));
    return done(call);
  }),
];

/** Of the vhosts that the user may see; rows that belong to none for administrators alone. */
function all(call: Call): object {
  const global = call.reaches('administrator') && call.query['vhost'] === undefined;
  return list(call, call.view.snapshots.setAsideIn(call.vhostOrAll(), global), []);
}
