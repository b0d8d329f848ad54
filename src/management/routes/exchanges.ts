// Owns the routes of exchanges and bindings, and publishing.

import type { BindingEnd } from '../../broker/view/actor.ts';
import type { BindingRow } from '../../broker/view/look.ts';
import type { Rows } from '../../util/rows.ts';
import { booleanOf, type Call, textOf } from '../call.ts';
import { badRequest, notFound } from '../http-error.ts';
import { list, pick } from '../listing.ts';
import { Answer, done, get, post, put, type Route, remove, saved } from '../route.ts';
import { BINDING_ORDER } from './queues.ts';

export const EXCHANGE_ROUTES: readonly Route[] = [
  get('/exchanges', 'management', (call) => list(call, rows(call))),
  get('/exchanges/:vhost', 'management', (call) => list(call, rows(call))),
  get('/exchanges/:vhost/:name', 'management', (call) => {
    const row = existing(call);
    return pick({ incoming: [], outgoing: [], ...row }, call.query['columns']);
  }),
  put('/exchanges/:vhost/:name', 'management', (call) => {
    const body = call.object();
    const isNew = call
      .actor()
      .declareExchange(
        call.exchange('name'),
        textOf('type', body['type'], 'direct'),
        booleanOf(body['internal'], false),
        {
          durable: booleanOf(body['durable'], false),
          autoDelete: booleanOf(body['auto_delete'], false),
          arguments: body['arguments'],
        },
      );
    return saved(call, isNew);
  }),
  remove('/exchanges/:vhost/:name', 'management', async (call) => {
    await call.actor().deleteExchange(call.exchange('name'), call.flag('if-unused'));
    return done(call);
  }),
  get('/exchanges/:vhost/:name/bindings/source', 'management', (call) => {
    existing(call);
    const found = call.view.look.bindingsFrom(call.vhost(), call.exchange('name'));
    return list(call, found, BINDING_ORDER);
  }),
  get('/exchanges/:vhost/:name/bindings/destination', 'management', (call) => {
    existing(call);
    const found = call.view.look.bindingsTo(call.vhost(), 'exchange', call.exchange('name'));
    return list(call, found, BINDING_ORDER);
  }),
  post('/exchanges/:vhost/:name/publish', 'management', publish, 'message'),
];

export const BINDING_ROUTES: readonly Route[] = [
  get('/bindings', 'management', (call) =>
    list(call, call.view.look.bindings(call.vhostOrAll()), BINDING_ORDER),
  ),
  get('/bindings/:vhost', 'management', (call) =>
    list(call, call.view.look.bindings(call.vhostOrAll()), BINDING_ORDER),
  ),
  get('/bindings/:vhost/e/:source/:kind/:destination', 'management', (call) =>
    list(call, between(call), BINDING_ORDER),
  ),
  post('/bindings/:vhost/e/:source/:kind/:destination', 'management', async (call) => {
    const body = call.object();
    const key = textOf('routing_key', body['routing_key']);
    const { kind, name } = end(call);
    const made = call.actor().bind(call.exchange('source'), { kind, name }, key, body['arguments']);
    await call.view.settled();
    // The path of the binding, relative to this one, as RabbitMQ says it.
    const location = `${encodeURIComponent(name)}/${encodeURIComponent(made)}`;
    return new Answer(201, null, { location });
  }),
  get('/bindings/:vhost/e/:source/:kind/:destination/:key', 'management', (call) =>
    call.first(between(call), (row) => row.properties_key === call.param('key')),
  ),
  remove('/bindings/:vhost/e/:source/:kind/:destination/:key', 'management', (call) => {
    call.actor().unbind(call.exchange('source'), end(call), call.param('key'));
    return done(call);
  }),
];

function* rows(call: Call): Rows<object> {
  for (const row of call.view.look.exchanges(call.vhostOrAll())) {
    yield row === null ? null : shown(row);
  }
}

function shown(row: { readonly policy: string; readonly operator_policy: string }): object {
  const { operator_policy: _, ...rest } = row;
  return { ...rest, policy: row.policy || null, user_who_performed_action: '' };
}

function existing(call: Call): object {
  return shown(call.found(call.view.look.exchange(call.vhost(), call.exchange('name'))));
}

function end(call: Call): BindingEnd {
  const kind = call.param('kind');
  if (kind === 'q') return { kind: 'queue', name: call.param('destination') };
  if (kind === 'e') return { kind: 'exchange', name: call.exchange('destination') };
  throw notFound();
}

/** The bindings of a source that lead to the end of the path. */
function* between(call: Call): Rows<BindingRow> {
  const { kind, name } = end(call);
  const source = call.exchange('source');
  for (const row of call.view.look.bindingsFrom(call.vhost(), source)) {
    yield row?.destination_type === kind && row.destination === name ? row : null;
  }
}

async function publish(call: Call): Promise<object> {
  const body = call.object('properties', 'routing_key', 'payload', 'payload_encoding');
  const encoding = body['payload_encoding'];
  if (encoding !== 'string' && encoding !== 'base64') {
    throw badRequest(`payload_encoding must be string or base64, not ${JSON.stringify(encoding)}`);
  }
  const payload = textOf('payload', body['payload']);
  const bytes = Buffer.from(payload, encoding === 'string' ? 'utf8' : 'base64');
  const key = textOf('routing_key', body['routing_key']);
  const { properties = {} } = body;
  const routed = await call.actor().publish(call.exchange('name'), key, properties, bytes);
  return { routed };
}
