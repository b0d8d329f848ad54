// Owns the routes of those that read streams, of the places of groups, and of those that publish under a name.

import { readStreamStart } from '../../../broker/view/queues/stream-start.ts';
import { type Call, integerOf } from '../../call.ts';
import { badRequest } from '../../http-error.ts';
import { list, listWhole } from '../../listing.ts';
import { done, get, put, type Route, remove } from '../../route.ts';

/** So many publishers are listed at a time, unless asked for others, and at most. */
const PUBLISHERS = 100;
const PUBLISHERS_MAX = 1000;

export const STREAM_ROUTES: readonly Route[] = [
  get('/queues/:vhost/:name/readers', 'management', (call) =>
    listWhole(call, call.actor().streams.readers(call.param('name')), READER_ORDER),
  ),
  get('/queues/:vhost/:name/groups', 'management', (call) =>
    list(call, call.actor().streams.groups(call.param('name')), GROUP_ORDER),
  ),
  put('/queues/:vhost/:name/groups/:group', 'management', setPlace),
  remove('/queues/:vhost/:name/groups/:group', 'management', (call) => {
    call.actor().streams.forget(call.param('name'), call.param('group'));
    return done(call);
  }),
  get('/queues/:vhost/:name/publishers', 'management', (call) => {
    const { after = '', count } = call.query;
    const most = Math.max(1, integerOf('count', count || undefined, PUBLISHERS, PUBLISHERS_MAX));
    return call.actor().streams.publishers(call.param('name'), after, most);
  }),
  get('/queues/:vhost/:name/publishers/:publisher', 'management', (call) =>
    call.actor().streams.publisher(call.param('name'), call.param('publisher')),
  ),
];

const READER_ORDER = ['group', 'offset'];
const GROUP_ORDER = ['name'];

/** Answers with the offset that the group is at, once it is on the disk. */
async function setPlace(call: Call): Promise<object> {
  const body = call.object();
  const unknown = Object.keys(body).find((key) => key !== 'offset' && key !== 'time');
  if (unknown !== undefined)
    throw badRequest(`unknown key '${unknown}': there are offset and time`);
  const start = readStreamStart(body['offset'], body['time']);
  const group = call.param('group');
  const offset = call.actor().streams.setPlace(call.param('name'), group, start);
  await call.view.settled();
  return { name: group, offset };
}
