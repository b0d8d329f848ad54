// Owns the routes of queues and of the messages in them.

import type { BrowsedMessage, BrowsePage, MessageFilter } from '../../broker/view/browse/browse.ts';
import { withPast } from '../../broker/view/history/past.ts';
import type { PayloadEncoding } from '../../broker/view/message-json.ts';
import type { QueueRow } from '../../broker/view/rows.ts';
import { ACK_MODES, noneStuck, type ToolActor } from '../../broker/view/tool-actor.ts';
import { type JsonValue, wordOf } from '../../util/json/json.ts';
import { jsonText } from '../../util/json/json-writer.ts';
import type { Rows } from '../../util/rows.ts';
import { setImmediate } from '../../util/system/runtime.ts';
import { type Pieces, piecesOf } from '../answers/json-pieces.ts';
import { requireSameName } from '../body-checks.ts';
import { argumentsOf, booleanOf, type Call, integerOf, textOf } from '../call.ts';
import { checkRanges, rangeOf } from '../history/ranges.ts';
import { badRequest } from '../http-error.ts';
import { columnFilter, list, listWhole, type SlowColumn } from '../listing.ts';
import { done, get, post, put, type Route, remove, saved } from '../route.ts';
import { readPart } from './streams/part.ts';

/** So many messages are got at a time at most, and so many bytes of each shown unless asked. */
const GET_MAX = 10_000;
const BROWSE_MAX = 1000;
/** One call looks at so many messages, and shows so many bytes of them, before it says where to go on. */
const BROWSE_SCANNED_MAX = 2000;
/** Nor takes it more turns: in a stream, each passes by a million messages whose filter value is another one. */
const BROWSE_TURNS_MAX = 64;
export const BROWSE_BYTES_MAX = 4 * 2 ** 20;
export const SHOWN_BYTES = 64 * 1024;
export const ALL_BYTES = 2 ** 31;
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
    const { past, snapshots } = call.view;
    const series = past.ofQueue(vhost, name);
    const lengths = rangeOf(call, 'lengths');
    const msgRates = rangeOf(call, 'msg_rates');
    checkRanges(call);
    const queue = withPast(snapshots.queue(vhost, name), series, lengths);
    const stats = queue.message_stats;
    const messageStats = stats === undefined ? undefined : withPast(stats, series, msgRates);
    const consumers = call.view.snapshots.consumersOf(vhost, name);
    const details = columnFilter(call.query)('consumer_details')
      ? await call.collected(consumers)
      : [];
    return {
      consumer_details: details,
      deliveries: [],
      incoming: [],
      ...queue,
      message_stats: messageStats,
    };
  }),
  put('/queues/:vhost/:name', 'management', (call) => {
    const body = call.object();
    requireSameName(body, 'name', call.param('name'));
    const isNew = call.actor().declareQueue(call.param('name'), {
      durable: booleanOf('durable', body['durable'], false),
      autoDelete: booleanOf('auto_delete', body['auto_delete'], false),
      arguments: argumentsOf(body),
    });
    return saved(call, isNew);
  }),
  remove('/queues/:vhost/:name', 'management', async (call) => {
    const conditions = { ifUnused: call.flag('if-unused'), ifEmpty: call.flag('if-empty') };
    await call.actor().deleteQueue(call.param('name'), conditions);
    return done(call);
  }),
  remove('/queues/:vhost/:name/contents', 'management', async (call) => {
    await call.actor().purgeQueue(call.param('name'));
    return done(call);
  }),
  put('/queues/:vhost/:name/pause', 'management', (call) => pause(call, true)),
  put('/queues/:vhost/:name/resume', 'management', (call) => pause(call, false)),
  get('/queues/:vhost/:name/bindings', 'management', (call) => {
    const vhost = call.vhost();
    const name = call.param('name');
    call.view.snapshots.queue(vhost, name);
    return listWhole(
      call,
      call.view.snapshots.bindingsTo(vhost, { kind: 'queue', name }),
      BINDING_ORDER,
    );
  }),
  post('/queues/:vhost/:name/get', 'management', getMessages),
  get('/queues/:vhost/:name/messages', 'management', browse),
  post('/queues/:vhost/:name/redrive', 'management', redrive),
  post('/queues/:vhost/:name/actions', 'administrator', (call) => {
    const { action } = call.object('action');
    call.view.snapshots.queue(call.vhost(), call.param('name'));
    // Queues are not mirrored here, so that there is nothing to synchronise.
    if (action === 'sync' || action === 'cancel_sync') return undefined;
    throw badRequest(`unknown action '${wordOf(action)}': there are sync and cancel_sync`);
  }),
];

function pause(call: Call, paused: boolean): Promise<undefined> {
  call.actor().pauseQueue(call.param('name'), paused);
  return done(call);
}

/** How lists of bindings are sorted. */
export const BINDING_ORDER = ['vhost', 'source', 'destination', 'properties_key'];

function queues(call: Call): Promise<object> {
  checkRanges(call, 'invalid_range_parameters');
  const { snapshots } = call.view;
  const rows = snapshots.queues(call.vhostOrAll());
  if (call.flag('disable_stats')) {
    const totals = call.flag('enable_queue_totals');
    return list(call, bareRows(rows, totals), QUEUE_ORDER);
  }
  // They may have to be read from the disk.
  const oldest: SlowColumn = {
    name: 'oldest_message_age_ms',
    of: (row) => snapshots.oldestMessageMs((row as QueueRow).vhost, (row as QueueRow).name),
  };
  const head: SlowColumn = {
    name: HEAD_TIMESTAMP,
    of: (row) => snapshots.headTimestamp((row as QueueRow).vhost, (row as QueueRow).name),
  };
  if (call.query['page'] !== undefined) return list(call, rows, QUEUE_ORDER, [oldest, head]);
  const wanted = columnFilter(call.query)(HEAD_TIMESTAMP);
  return list(call, wanted ? withHeads(call, rows) : rows, QUEUE_ORDER, [oldest]);
}

const HEAD_TIMESTAMP = 'head_message_timestamp';

/** Queues with the timestamps of their heads, where those are in memory: all at once would read the whole disk. */
function* withHeads({ view: { snapshots } }: Call, rows: Rows<QueueRow>): Rows<QueueRow> {
  for (const row of rows) {
    if (row === null) yield null;
    else {
      const timestamp = snapshots.headTimestamp(row.vhost, row.name, 'memory');
      yield Object.assign(row, { [HEAD_TIMESTAMP]: timestamp });
    }
  }
}

/** Queues as they were declared, and with `totals` how many messages they have. */
function* bareRows(rows: Rows<QueueRow>, totals: boolean): Rows<object> {
  for (const row of rows) yield row === null ? null : bareRow(row, totals);
}

function bareRow(row: QueueRow, totals: boolean): object {
  const { name, vhost, type, durable, auto_delete, exclusive, node, state } = row;
  const bare = { name, vhost, type, durable, auto_delete, exclusive, node, state };
  const { arguments: args, messages, messages_ready, messages_unacknowledged } = row;
  if (!totals) return { ...bare, arguments: args };
  return { ...bare, arguments: args, messages, messages_ready, messages_unacknowledged };
}

const QUEUE_ORDER = ['vhost', 'name'];

/** How payloads are shown; throws a 400 for what is none of both. */
export function readEncoding(value: JsonValue | undefined): PayloadEncoding {
  if (value === undefined || value === 'auto') return 'auto';
  if (value === 'base64') return 'base64';
  throw badRequest(`encoding must be auto or base64, not ${jsonText(value)}`);
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
  const { timeSlice } = call;
  const { messages, settle } = await actor.take(
    call.param('name'),
    count,
    encoding,
    truncate,
    timeSlice,
  );
  try {
    const pieces = await piecesOf('[', texts(messages), ']', timeSlice);
    // What does not reach the peer comes back, as if its channel had been closed.
    return { pieces, sent: (wholly) => settle(wholly ? mode : 'ack_requeue_true') };
  } catch (error) {
    settle('ack_requeue_true');
    throw error instanceof RangeError ? badRequest(TOO_LONG) : error;
  }
}

const TOO_LONG = 'a message is too long for JSON: give truncate, or encoding base64';

function* texts(messages: readonly object[]): Iterable<string> {
  for (const message of messages) yield jsonText(message);
}

/** Looks on, between turns, until there is what was asked for: a busy machine shows no less. */
async function browse(call: Call): Promise<object> {
  const { query } = call;
  const actor = call.actor();
  const name = call.param('name');
  const count = Math.max(1, integerOf('count', query['count'] || undefined, 50, BROWSE_MAX));
  const truncate = integerOf('truncate', query['truncate'] || undefined, SHOWN_BYTES, ALL_BYTES);
  const rest = {
    part: readPart(call),
    filter: readFilter(query['key'], query['header']),
    encoding: readEncoding(query['encoding']),
    truncate,
  };
  const { timeSlice } = call;
  const messages: BrowsedMessage[] = [];
  let cursor: string | null = query['cursor'] ?? '';
  let scanned = 0;
  let bytes = 0;
  let turns = 0;
  do {
    if (turns > 0) await timeSlice.rest();
    turns += 1;
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
    turns < BROWSE_TURNS_MAX &&
    bytes < BROWSE_BYTES_MAX
  );
  // Always said: an answer that holds fewer than asked for must not look like the end of the queue.
  const stopped_by =
    cursor === null
      ? 'end'
      : messages.length >= count
        ? 'count'
        : bytes >= BROWSE_BYTES_MAX
          ? 'bytes'
          : 'scanned';
  return { messages, next_cursor: cursor, scanned, stopped_by };
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
  let moved = 0;
  const reasons: Record<string, number> = noneStuck();
  while (cursor !== null && moved < count && !pace.ended) {
    const want = Math.min(count - moved, pace.allowed(moved));
    if (want > 0) {
      const result = actor.redrive(name, filter, want, to, cursor);
      moved += result.moved;
      for (const [why, n] of Object.entries(result.stuck)) reasons[why] = (reasons[why] ?? 0) + n;
      cursor = result.cursor;
    }
    await pace.rest();
  }
  await call.view.settled();
  const stuck = Object.values(reasons).reduce((sum, n) => sum + n, 0);
  return { moved, stuck, stuck_reasons: reasons, left: left(actor, name), next_cursor: cursor };
}

function left(actor: ToolActor, name: string): number {
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
      : this.call.context.delay(SLICE_MS);
  }

  private get elapsedMs(): number {
    return this.call.context.clock.monotonicMs() - this.beganMs;
  }
}
