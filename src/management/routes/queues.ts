// Owns the routes of queues and of the messages in them.

import { ACK_MODES, type Actor } from '../../broker/view/actor.ts';
import type { BrowsedMessage, BrowsePage, MessageFilter } from '../../broker/view/browse.ts';
import type { PayloadEncoding } from '../../broker/view/message-json.ts';
import type { QueueRow } from '../../broker/view/statistics.ts';
import { type JsonValue, wordOf } from '../../util/json/json.ts';
import { setImmediate } from '../../util/system/runtime.ts';
import { booleanOf, type Call, integerOf, textOf } from '../call.ts';
import { type Pieces, piecesOf } from '../http/json-pieces.ts';
import { badRequest } from '../http-error.ts';
import { list, pick, wantsColumn } from '../listing.ts';
import { done, get, post, put, type Route, remove, saved } from '../route.ts';
import { isNamed } from '../shape.ts';

/** So many messages are got at a time at most, and so many bytes of each shown unless asked. */
const GET_MAX = 10_000;
const BROWSE_MAX = 1000;
/** One call looks at so many messages, and shows so many bytes of them, before it says where to go on. */
const BROWSE_SCANNED_MAX = 2000;
const BROWSE_BYTES_MAX = 4 * 2 ** 20;
const SHOWN_BYTES = 64 * 1024;
const ALL_BYTES = 2 ** 31;
/** How long one request may move messages; a client that wants more calls again. */
const REDRIVE_MS = 20_000;
const SLICE_MS = 100;

export const QUEUE_ROUTES: readonly Route[] = [
  get('/queues', 'management', queues),
  get('/queues/detailed', 'management', queues),
  get('/queues/:vhost', 'management', queues),
  get('/queues/:vhost/:name', 'management', async (call) => {
    const vhost = call.vhost();
    const name = call.param('name');
    const queue = call.view.look.queue(vhost, name);
    const { columns } = call.query;
    const consumers = call.view.look.consumersOf(vhost, name);
    const details = wantsColumn(columns, 'consumer_details') ? await call.collected(consumers) : [];
    const all = { consumer_details: details, deliveries: [], incoming: [], ...queue };
    return pick(all, columns);
  }),
  put('/queues/:vhost/:name', 'management', (call) => {
    const body = call.object();
    isNamed(body, 'name', call.param('name'));
    const isNew = call.actor().declareQueue(call.param('name'), {
      durable: booleanOf(body['durable'], false),
      autoDelete: booleanOf(body['auto_delete'], false),
      arguments: body['arguments'],
    });
    return saved(call, isNew);
  }),
  remove('/queues/:vhost/:name', 'management', async (call) => {
    const [unused, empty] = [call.flag('if-unused'), call.flag('if-empty')];
    await call.actor().deleteQueue(call.param('name'), unused, empty);
    return done(call);
  }),
  remove('/queues/:vhost/:name/contents', 'management', (call) => {
    call.actor().purgeQueue(call.param('name'));
    return done(call);
  }),
  get('/queues/:vhost/:name/bindings', 'management', (call) => {
    const vhost = call.vhost();
    const name = call.param('name');
    call.view.look.queue(vhost, name);
    return list(call, call.view.look.bindingsTo(vhost, 'queue', name), BINDING_ORDER);
  }),
  post('/queues/:vhost/:name/get', 'management', getMessages),
  get('/queues/:vhost/:name/messages', 'management', browse),
  post('/queues/:vhost/:name/redrive', 'management', redrive),
  post('/queues/:vhost/:name/actions', 'administrator', (call) => {
    const { action } = call.object('action');
    call.view.look.queue(call.vhost(), call.param('name'));
    // Queues are not mirrored here, so that there is nothing to synchronise.
    if (action === 'sync' || action === 'cancel_sync') return undefined;
    throw badRequest(`unknown action '${wordOf(action)}': there are sync and cancel_sync`);
  }),
];

/** How lists of bindings are sorted. */
export const BINDING_ORDER = ['vhost', 'source', 'destination', 'properties_key'];

function queues(call: Call): Promise<object> {
  const { look } = call.view;
  return list(call, look.queues(call.vhostOrAll()), QUEUE_ORDER, {
    name: 'oldest_message_age_ms',
    // It may have to be read from the disk.
    of: (row) => look.oldestMessageMs((row as QueueRow).vhost, (row as QueueRow).name),
  });
}

const QUEUE_ORDER = ['vhost', 'name'];

function readEncoding(value: JsonValue | undefined): PayloadEncoding {
  if (value === undefined || value === 'auto') return 'auto';
  if (value === 'base64') return 'base64';
  throw badRequest(`encoding must be auto or base64, not ${JSON.stringify(value)}`);
}

async function getMessages(call: Call): Promise<Pieces> {
  const actor = call.actor();
  const body = call.object('ackmode', 'count', 'encoding');
  const mode = ACK_MODES.find((each) => each === body['ackmode']);
  if (mode === undefined) {
    throw badRequest(`ackmode must be one of ${ACK_MODES.join(', ')}`);
  }
  const count = integerOf('count', body['count'], 1, GET_MAX);
  const truncate = integerOf('truncate', body['truncate'], ALL_BYTES, ALL_BYTES);
  const encoding = readEncoding(body['encoding']);
  const { breather } = call;
  const { messages, settle } = await actor.take(
    call.param('name'),
    count,
    encoding,
    truncate,
    breather,
  );
  try {
    const pieces = await piecesOf('[', texts(messages), ']', breather);
    // What does not reach the peer comes back, as if its channel had been closed.
    return { pieces, sent: (wholly) => settle(wholly ? mode : 'ack_requeue_true') };
  } catch (error) {
    settle('ack_requeue_true');
    throw error instanceof RangeError ? badRequest(TOO_LONG) : error;
  }
}

const TOO_LONG = 'a message is too long for JSON: give truncate, or encoding base64';

function* texts(messages: readonly object[]): Iterable<string> {
  for (const message of messages) yield JSON.stringify(message);
}

/** Looks on, between turns, until there is what was asked for: a busy machine shows no less. */
async function browse(call: Call): Promise<object> {
  const { query } = call;
  const actor = call.actor();
  const name = call.param('name');
  const count = Math.max(1, integerOf('count', query['count'], 50, BROWSE_MAX));
  const truncate = integerOf('truncate', query['truncate'], SHOWN_BYTES, ALL_BYTES);
  const rest = {
    filter: readFilter(query['key'], query['header']),
    encoding: readEncoding(query['encoding']),
    truncate,
  };
  const { breather } = call;
  const messages: BrowsedMessage[] = [];
  let cursor: string | null = query['cursor'] ?? '';
  let scanned = 0;
  let bytes = 0;
  do {
    if (scanned > 0) await breather.rest();
    const page: BrowsePage = actor.browse(name, {
      ...rest,
      cursor,
      count: count - messages.length,
    });
    for (const message of page.messages) bytes += Math.min(message.payload_bytes, truncate);
    messages.push(...page.messages);
    scanned += page.scanned;
    cursor = page.next_cursor;
  } while (
    cursor !== null &&
    messages.length < count &&
    scanned < BROWSE_SCANNED_MAX &&
    bytes < BROWSE_BYTES_MAX
  );
  return { messages, next_cursor: cursor, scanned };
}

/** `key` is a routing key with `*` for any characters, `header` is `name` or `name:value`. */
function readFilter(key: string | undefined, header: string | undefined): MessageFilter {
  const colon = header?.indexOf(':') ?? -1;
  return {
    routingKey: key === undefined || key === '' ? null : key,
    header:
      header === undefined || header === ''
        ? null
        : {
            name: colon < 0 ? header : header.slice(0, colon),
            value: colon < 0 ? null : header.slice(colon + 1),
          },
  };
}

/** Moves messages a few at a time, no more a second than `rate`, until done or out of time. */
async function redrive(call: Call): Promise<object> {
  const actor = call.actor();
  const body = call.object();
  const name = call.param('name');
  const count = integerOf('count', body['count'], Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  const rate = integerOf('rate', body['rate'], 0, 10_000_000);
  const to = textOf('to', body['to']) || null;
  const filter = readFilter(textOf('key', body['key']), textOf('header', body['header']));
  const pace = new Pace(call, rate);
  let cursor: string | null = textOf('cursor', body['cursor']);
  let [moved, stuck] = [0, 0];
  while (cursor !== null && moved < count && !pace.ended) {
    const want = Math.min(count - moved, pace.allowed(moved));
    if (want > 0) {
      const result = actor.redrive(name, filter, want, to, cursor);
      moved += result.moved;
      stuck += result.stuck;
      cursor = result.cursor;
    }
    await pace.rest();
  }
  await call.view.settled();
  return { moved, stuck, left: left(actor, name), next_cursor: cursor };
}

function left(actor: Actor, name: string): number {
  return actor.readyCount(name);
}

/** How fast messages are moved. */
class Pace {
  private readonly call: Call;
  private readonly rate: number;
  private readonly beganMs: number;

  constructor(call: Call, rate: number) {
    this.call = call;
    this.rate = rate;
    this.beganMs = call.context.clock.monotonicMs();
  }

  get ended(): boolean {
    return this.elapsedMs >= REDRIVE_MS;
  }

  /** How many more may be moved by now. */
  allowed(moved: number): number {
    if (this.rate === 0) return Number.MAX_SAFE_INTEGER;
    return Math.floor(((this.elapsedMs + SLICE_MS) / 1000) * this.rate) - moved;
  }

  rest(): Promise<void> {
    return this.rate === 0
      ? new Promise((resolve) => setImmediate(resolve))
      : this.call.context.wait(SLICE_MS);
  }

  private get elapsedMs(): number {
    return this.call.context.clock.monotonicMs() - this.beganMs;
  }
}
