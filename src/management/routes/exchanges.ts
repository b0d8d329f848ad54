// Owns the routes of exchanges and bindings, and publishing.

import { type BindingRow, escapeKey } from '../../broker/view/bindings.ts';
import type { ExchangeRow } from '../../broker/view/rows.ts';
import type { BindingEnd } from '../../broker/view/tool-actor.ts';
import { jsonText } from '../../util/json/json-writer.ts';
import type { Rows } from '../../util/rows.ts';
import { argumentsOf, booleanOf, type Call, textOf } from '../call.ts';
import { checkRanges } from '../history/ranges.ts';
import { badRequest, notFound } from '../http-error.ts';
import { list, listWhole } from '../listing.ts';
import { Answer, done, get, post, put, type Route, remove, saved } from '../route.ts';
import { BINDING_ORDER } from './queues.ts';

export const EXCHANGE_ROUTES: readonly Route[] = [
  get('/exchanges', 'management', (call) => list(call, rows(call))),
  get('/exchanges/:vhost', 'management', (call) => list(call, rows(call))),
  get('/exchanges/:vhost/:name', 'management', (call) => {
    const row = existing(call);
    checkRanges(call);
    return { incoming: [], outgoing: [], ...row };
  }),
  put('/exchanges/:vhost/:name', 'management', (call) => {
    const body = call.object();
    const isNew = call
      .actor()
      .declareExchange(
        call.exchange('name'),
        textOf('type', body['type'], 'direct'),
        booleanOf('internal', body['internal'], false),
        {
          durable: booleanOf('durable', body['durable'], false),
          autoDelete: booleanOf('auto_delete', body['auto_delete'], false),
          arguments: argumentsOf(body),
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
    const found = call.view.snapshots.bindingsFrom(call.vhost(), call.exchange('name'));
    return listWhole(call, found, BINDING_ORDER);
  }),
  get('/exchanges/:vhost/:name/bindings/destination', 'management', (call) => {
    existing(call);
    const end = { kind: 'exchange', name: call.exchange('name') } as const;
    const found = call.view.snapshots.bindingsTo(call.vhost(), end);
    return listWhole(call, found, BINDING_ORDER);
  }),
  post('/exchanges/:vhost/:name/publish', 'management', publish, 'message'),
];

export const BINDING_ROUTES: readonly Route[] = [
  get('/bindings', 'management', (call) =>
    listWhole(call, call.view.snapshots.bindings(call.vhostOrAll()), BINDING_ORDER),
  ),
  get('/bindings/:vhost', 'management', (call) =>
    listWhole(call, call.view.snapshots.bindings(call.vhostOrAll()), BINDING_ORDER),
  ),
  get('/bindings/:vhost/e/:source/:kind/:destination', 'management', (call) =>
    listWhole(call, between(call), BINDING_ORDER),
  ),
  post('/bindings/:vhost/e/:source/:kind/:destination', 'management', async (call) => {
    const body = call.object();
    const key = textOf('routing_key', body['routing_key']);
    const { kind, name } = end(call);
    const made = call.actor().bind(call.exchange('source'), { kind, name }, key, argumentsOf(body));
    await call.view.settled();
    // The path of the binding, relative to this one, as RabbitMQ says it.
    const location = `${encodeURIComponent(name)}/${encodeURIComponent(made)}`;
    return new Answer(201, null, { location });
  }),
  get('/bindings/:vhost/e/:source/:kind/:destination/:key', 'management', (call) =>
    call.first(between(call), (row) => keysOf(call).includes(row.properties_key)),
  ),
  remove('/bindings/:vhost/e/:source/:kind/:destination/:key', 'management', (call) => {
    call.actor().unbind(call.exchange('source'), end(call), keysOf(call));
    return done(call);
  }),
];

/**
 * What stands for a binding in the path: as lists show it, where it is escaped once more, or the key as it lies in
 * the path, as RabbitMQ takes it, too.
 */
function keysOf(call: Call): readonly string[] {
  const given = call.param('key');
  return [given, escapeKey(given)];
}

function* rows(call: Call): Rows<object> {
  checkRanges(call, 'invalid_range_parameters');
  for (const row of call.view.snapshots.exchanges(call.vhostOrAll())) {
    yield row === null ? null : shown(row);
  }
}

function shown(row: ExchangeRow): object {
  return { ...row, user_who_performed_action: '' };
}

function existing(call: Call): object {
  return shown(call.found(call.view.snapshots.exchange(call.vhost(), call.exchange('name'))));
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
  for (const row of call.view.snapshots.bindingsFrom(call.vhost(), source)) {
    yield row?.destination_type === kind && row.destination === name ? row : null;
  }
}

async function publish(call: Call): Promise<object> {
  const body = call.object('properties', 'routing_key', 'payload', 'payload_encoding');
  const encoding = body['payload_encoding'];
  if (encoding !== 'string' && encoding !== 'base64') {
    throw badRequest(`payload_encoding must be string or base64, not ${jsonText(encoding)}`);
  }
  const payload = textOf('payload', body['payload']);
  if (encoding === 'base64' && !isBase64(payload)) {
    throw badRequest('payload is no base64, as payload_encoding says that it is');
  }
  const bytes = Buffer.from(payload, encoding === 'string' ? 'utf8' : 'base64');
  const key = textOf('routing_key', body['routing_key']);
  const { properties = {} } = body;
  const routed = await call.actor().publish(call.exchange('name'), key, properties, bytes);
  return { routed };
}

/** Whether a text is base64 to its end: what is none, the runtime would pass over. */
function isBase64(text: string): boolean {
  return !/[^A-Za-z0-9+/=\s]|=[^=\s]/.test(text);
}
