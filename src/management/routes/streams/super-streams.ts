// Owns the routes of super streams: an exchange with its partitions as one thing.

import type { PartitionsWish } from '../../../broker/view/queues/super-streams.ts';
import type { JsonObject, JsonValue } from '../../../util/json/json.ts';
import { argumentsOf, type Call, integerOf } from '../../call.ts';
import { badRequest } from '../../http-error.ts';
import { list } from '../../listing.ts';
import { done, get, post, put, type Route, remove, saved } from '../../route.ts';

export const SUPER_STREAM_ROUTES: readonly Route[] = [
  get('/super-streams/:vhost', 'management', (call) => list(call, superStreams(call).rows())),
  get('/super-streams/:vhost/:name', 'management', (call) =>
    superStreams(call).one(call.param('name')),
  ),
  put('/super-streams/:vhost/:name', 'management', (call) => {
    superStreams(call).add(call.param('name'), wishOf(call.object(), PARTITIONS_DEFAULT));
    return saved(call, true);
  }),
  post('/super-streams/:vhost/:name/partitions', 'management', (call) => {
    superStreams(call).extend(call.param('name'), wishOf(call.object(), 1));
    return done(call);
  }),
  remove('/super-streams/:vhost/:name', 'management', async (call) => {
    await superStreams(call).delete(call.param('name'));
    return done(call);
  }),
];

/** As RabbitMQ's tool makes it. */
const PARTITIONS_DEFAULT = 3;

const superStreams = (call: Call) => call.actor().superStreams;

/** What a body asks for; `partitions` where it says nothing. Throws a 400 for what cannot be read. */
function wishOf(body: JsonObject, partitions: number): PartitionsWish {
  const { binding_keys: keys } = body;
  if (keys !== undefined && body['partitions'] !== undefined) {
    throw badRequest('Specify partitions or binding_keys, not both.');
  }
  return {
    partitions:
      keys === undefined
        ? integerOf('partitions', body['partitions'], partitions, Number.MAX_SAFE_INTEGER)
        : keysOf(keys),
    arguments: body['arguments'] === undefined ? null : argumentsOf(body),
  };
}

function keysOf(keys: JsonValue): readonly string[] {
  if (!Array.isArray(keys)) throw badRequest('binding_keys must be a list of texts');
  return keys.map((key) => {
    if (typeof key === 'string' && key !== '') return key;
    throw badRequest('binding_keys must be a list of texts, and none of them empty');
  });
}
