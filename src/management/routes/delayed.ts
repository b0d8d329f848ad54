// Owns the routes of messages that wait for their time.

import type { DelayedPage, DelayedView } from '../../broker/view/delayed/delayed.ts';
import { type JsonObject, type JsonValue, wordOf } from '../../util/json/json.ts';
import { type Call, integerOf } from '../call.ts';
import { badRequest } from '../http-error.ts';
import { get, post, type Route } from '../route.ts';
import { ALL_BYTES, BROWSE_BYTES_MAX, readEncoding, SHOWN_BYTES } from './queues.ts';

/** So many are listed, or named by ids, at a time at most. */
const COUNT_MAX = 1000;
const COUNT = 50;

export const DELAYED_ROUTES: readonly Route[] = [
  get('/queues/:vhost/:name/delayed', 'management', list),
  post('/queues/:vhost/:name/delayed', 'management', handle),
];

/** Goes on, between turns, until there is what was asked for. */
async function list(call: Call): Promise<object> {
  const { query, timeSlice } = call;
  const actor = call.actor().delayed;
  const name = call.param('name');
  const count = Math.max(1, integerOf('count', query['count'] || undefined, COUNT, COUNT_MAX));
  const truncate = integerOf('truncate', query['truncate'] || undefined, SHOWN_BYTES, ALL_BYTES);
  const encoding = readEncoding(query['encoding']);
  const messages: DelayedView[] = [];
  let after: DelayedPage['next'] = null;
  let exact = true;
  let bytes = 0;
  do {
    if (after !== null) await timeSlice.rest();
    const left = count - messages.length;
    const page: DelayedPage = actor.list(name, { after, count: left, encoding, truncate });
    messages.push(...page.messages);
    for (const each of page.messages) bytes += Math.min(each.payload_bytes, truncate);
    exact &&= page.exact;
    after = page.next;
  } while (after !== null && messages.length < count && bytes < BROWSE_BYTES_MAX);
  const stopped_by = after === null ? 'end' : messages.length >= count ? 'count' : 'bytes';
  return { messages, delayed: actor.count(name), exact, stopped_by };
}

/** Sends now or drops, one by one or all; answers when that is on disk. */
async function handle(call: Call): Promise<object> {
  const { timeSlice } = call;
  const body = call.object('action');
  const { action } = body;
  if (action !== 'send' && action !== 'drop') {
    throw badRequest(`action must be send or drop, not ${wordOf(action)}`);
  }
  const ids = readIds(body);
  const actor = call.actor().delayed;
  const name = call.param('name');
  let done = 0;
  if (ids === null) done = actor.handleAll(name, action);
  // Also where there is none, so that the queue and the right are asked for.
  else if (ids.length === 0) actor.count(name);
  else {
    for (const id of ids) {
      if (actor.handle(name, action, id)) done += 1;
      if (timeSlice.due) await timeSlice.rest();
    }
  }
  await call.view.settled();
  return { done, not_there: ids === null ? 0 : ids.length - done };
}

/** The ids of a body; null: all that wait are meant. What is misspelt must not mean all. */
function readIds(body: JsonObject): readonly string[] | null {
  const unknown = Object.keys(body).find((key) => key !== 'action' && key !== 'ids');
  if (unknown !== undefined) {
    throw badRequest(`unknown key '${unknown}': there are action and ids`);
  }
  const { ids } = body;
  if (ids === undefined) return null;
  if (!Array.isArray(ids) || !ids.every(isText)) {
    throw badRequest(`ids must be a list of texts, as GET shows them, not ${wordOf(ids)}`);
  }
  if (ids.length > COUNT_MAX) {
    throw badRequest(`ids are ${COUNT_MAX} at most, not ${ids.length}: leave them out for all`);
  }
  return ids;
}

function isText(value: JsonValue): value is string {
  return typeof value === 'string';
}
