// Owns the verbs for messages of a running broker: publish, get, browse, consume, move, redrive, and what is set aside.

import { readFileSync } from 'node:fs';
import { Option } from 'commander';
import { jsonText } from '../../../util/json/json-writer.ts';
import { UserError } from '../../../util/user-error.ts';
import { counted, type Listing } from '../../output.ts';
import { print, printError, tellOfTerminal } from '../../print.ts';
import { formatOf } from '../../verb/answers.ts';
import { type HttpApi, part } from '../../verb/http-api.ts';
import { type LiveVerb, vhostOf } from '../../verb/live.ts';
import type { Arguments, Options } from '../../verb/verb.ts';
import { parseCount, parseJsonOption, parseLimit } from '../../verb/verb-runner.ts';
import { browseDelayed, delayedVerb } from './delayed.ts';

/** A message as the API shows it. */
interface Message {
  readonly exchange: string;
  readonly routing_key: string;
  readonly redelivered: boolean;
  readonly properties: { readonly headers?: Readonly<Record<string, unknown>> };
  readonly payload: string;
  readonly payload_encoding: 'string' | 'base64';
}

/** A message as it is browsed. */
interface Browsed extends Message {
  /** In a stream, its place. */
  readonly offset?: number;
  /** Ms since the Unix epoch. */
  readonly arrived_at: number;
  /** Why and where it died last; null: it is no dead letter. */
  readonly last_death: {
    readonly reason: string | null;
    readonly queue: string | null;
    readonly exchange: string | null;
    readonly routing_key: string | null;
    readonly count: number;
  } | null;
}

/** How many messages one call gets, and how long to wait where there is none. */
const CONSUME_BATCH = 500;
const CONSUME_PAUSE_MS = 250;

/** How many at most; `--count` is the older name. */
const limit = (what: string, initial: number, said?: string): Option[] => [
  new Option('-c, --limit <n>', `The most to ${what}.`)
    .argParser(parseCount)
    .default(initial, said),
  new Option('--count <n>').argParser(parseCount).hideHelp(),
];
const limitOf = (options: Options): number => Number(options['count'] ?? options['limit']);
const KEY = new Option('--key <pattern>', 'Only with this routing key; * matches any text.');
const HEADER = new Option('--header <name[:value]>', 'Only with this header.');

const OF_STREAM = [
  new Option(
    '--offset <place>',
    'In a stream, from there: an offset, -N for the last N, first, last.',
  ),
  new Option(
    '--time <time>',
    'In a stream, from then on: 2026-01-31T08:00:00Z, or 1h for an hour ago.',
  ),
  new Option('--filter <value...>', 'In a stream, only with one of these filter values.'),
];

const COLUMNS = ['exchange', 'routing_key', 'redelivered', 'properties', 'payload'];

export const messageVerbs: readonly LiveVerb[] = [
  {
    name: 'publish',
    arguments: '[payload]',
    about: "Publish a message; without a payload, or with '-', from standard input.",
    vhost: true,
    excess:
      'publish takes one argument, the payload, in quotes where it has spaces: name the queue with -k, as in ' +
      "leveret publish -k jobs 'hello'",
    more: 'Exit codes: 0 published, 1 no queue took it.',
    options: [
      new Option('-x, --exchange <name>', 'The exchange.').default('', 'the default one'),
      new Option('-k, --key <key>', 'The routing key; with the default exchange, a queue.').default(
        '',
      ),
      new Option('--properties <json>', 'Properties, such as {"content_type":"text/plain"}.')
        .argParser(parseJsonOption)
        .default({}, 'none'),
      new Option('--transient', 'A transient message: it does not survive a restart.'),
    ],
    run: publish,
  },
  {
    name: 'get',
    arguments: '<queue>',
    about: 'Get messages and return them to the queue, unless --ack or --reject is given.',
    vhost: true,
    options: [
      ...limit('get', 1),
      new Option('--ack', 'Remove them from the queue.').conflicts('reject'),
      new Option('--reject', 'Reject them: they are dead-lettered or dropped.'),
    ],
    run: async (api, [queue], options) => {
      const mode =
        options['ack'] === true
          ? 'ack_requeue_false'
          : options['reject'] === true
            ? 'reject_requeue_false'
            : 'ack_requeue_true';
      const rows = await get(api, queue, options, limitOf(options), mode);
      return { columns: COLUMNS, rows: shortened(rows, /^x-death$/, options), whole: true };
    },
  },
  {
    name: 'browse',
    arguments: '<queue>',
    about: 'Show messages without delivering them, and those that wait for their time.',
    vhost: true,
    options: [...limit('show', 20), KEY, HEADER, ...OF_STREAM],
    run: browse,
  },
  delayedVerb,
  {
    name: 'consume',
    arguments: '<queue>',
    about: 'Print and remove messages as they come, until Ctrl-C.',
    vhost: true,
    options: [...limit('take out', Number.MAX_SAFE_INTEGER, 'all')],
    streams: true,
    more: 'With --json, each message is an object on a line of its own. A message is taken out once it was read: one that is\nprinted while this is killed is lost.',
    run: consume,
  },
  {
    name: 'move',
    arguments: '<from> <to>',
    about: 'Move messages from one queue to another, each atomically.',
    vhost: true,
    options: [...limit('move', Number.MAX_SAFE_INTEGER, 'all'), KEY, HEADER, rateOption()],
    run: (api, [from, to], options) => redrive(api, from, options, String(to)),
  },
  {
    name: 'redrive',
    arguments: '<queue>',
    about: 'Move dead letters back to the queues where they were dead-lettered.',
    vhost: true,
    options: [...limit('move', Number.MAX_SAFE_INTEGER, 'all'), KEY, HEADER, rateOption()],
    run: (api, [queue], options) => redrive(api, queue, options, null),
  },
  {
    name: 'retry',
    arguments: '<queue> <id>',
    about: 'Return a message that was set aside to its queue; `all` for all messages.',
    vhost: true,
    run: async (api, [queue, id], options) => {
      const answer = await api.call('POST', `${asidePath(queue, id, options)}/retry`, {});
      return `Put back: ${(answer as { retried: number }).retried}\n`;
    },
  },
  {
    name: 'export',
    arguments: '<queue> <id>',
    about: 'Print a message that was set aside as JSON, with its bytes in base64.',
    vhost: true,
    run: async (api, [queue, id], options) =>
      `${jsonText(await api.get<object>(asidePath(queue, id, options)), 2)}\n`,
  },
  {
    name: 'drop',
    arguments: '<queue> <id>',
    about: 'Delete a message that was set aside; `all` for all messages.',
    vhost: true,
    run: async (api, [queue, id], options) => {
      await api.call('DELETE', asidePath(queue, id, options));
      return 'Dropped\n';
    },
  },
];

function asidePath(queue: Arguments | undefined, id: Arguments | undefined, options: Options) {
  return `${queuePath(queue as Arguments, options)}/set-aside/${part(String(id))}`;
}

function rateOption(): Option {
  return new Option('--rate <n>', 'The most messages a second.')
    .argParser(parseLimit)
    .default(0, 'no limit');
}

async function publish(
  api: HttpApi,
  [payload = '-']: readonly Arguments[],
  options: Options,
): Promise<string> {
  if (payload === '-') tellOfTerminal('the payload');
  const bytes = payload === '-' ? readFileSync(0) : Buffer.from(String(payload));
  const exchange = part(options['exchange'] === '' ? 'amq.default' : String(options['exchange']));
  const mode = options['transient'] === true ? {} : { delivery_mode: 2 };
  const answer = (await api.call('POST', `/exchanges/${vhostOf(options)}/${exchange}/publish`, {
    routing_key: options['key'],
    payload: bytes.toString('base64'),
    payload_encoding: 'base64',
    properties: { ...mode, ...(options['properties'] as object) },
  })) as { routed: boolean };
  if (answer.routed) return 'Published\n';
  const where = options['exchange'] === '' ? 'the routing key' : 'the routing key and the bindings';
  throw new UserError(`no queue took the message, which is gone: look at ${where}`);
}

function queuePath(queue: Arguments, options: Options): string {
  return `/queues/${vhostOf(options)}/${part(String(queue))}`;
}

async function get(
  api: HttpApi,
  queue: Arguments,
  options: Options,
  count: number,
  ackmode: string,
): Promise<Message[]> {
  const body = { count, ackmode, encoding: 'auto' };
  return (await api.call('POST', `${queuePath(queue, options)}/get`, body)) as Message[];
}

async function browse(
  api: HttpApi,
  [queue]: readonly Arguments[],
  options: Options,
): Promise<Listing> {
  const wanted = limitOf(options);
  const rows: Browsed[] = [];
  let cursor: string | null = '';
  while (cursor !== null && rows.length < wanted) {
    const query = new URLSearchParams({
      cursor,
      count: String(Math.min(1000, wanted - rows.length)),
    });
    for (const name of ['key', 'header', 'offset', 'time'] as const) {
      if (typeof options[name] === 'string') query.set(name, options[name]);
    }
    for (const value of (options['filter'] ?? []) as string[]) query.append('filter', value);
    const page: { messages: Browsed[]; next_cursor: string | null } = await api.get(
      `${queuePath(queue, options)}/messages?${query}`,
    );
    rows.push(...page.messages);
    cursor = page.next_cursor;
  }
  if (cursor !== null) printError('There may be more: give a higher --limit\n');
  // What waits cannot be chosen by its key or a header.
  const chosen = options['key'] !== undefined || options['header'] !== undefined;
  const waiting = await browseDelayed(
    api,
    queuePath(queue as Arguments, options),
    queue as Arguments,
    chosen ? 0 : wanted - rows.length,
  );
  const due = waiting.length > 0 ? ['due'] : [];
  const stream = rows.some(({ offset }) => offset !== undefined);
  const place = stream ? ['offset', 'arrived'] : ['seq', 'state'];
  const columns = [...place, ...due, ...COLUMNS.filter((each) => each !== 'redelivered')];
  const died = rows.some(({ last_death }) => last_death !== null);
  const past = /^x-(death|(first|last)-death-.*)$/;
  return {
    columns: died ? [...columns, 'died'] : columns,
    rows: [
      ...shortened(rows, past, options).map((row) => ({
        ...row,
        arrived: new Date(row.arrived_at).toISOString(),
        died: whereItDied(row.last_death),
      })),
      ...shortened(waiting, past, options),
    ],
    whole: true,
  };
}

/** In a table without the headers in which a dead letter has its whole past; JSON has them all. */
function shortened<T extends Partial<Pick<Message, 'properties'>>>(
  rows: T[],
  past: RegExp,
  options: Options,
): T[] {
  if (formatOf(options) === 'json') return rows;
  return rows.map((row) => {
    const { headers, ...others } = row.properties ?? {};
    const kept = Object.entries(headers ?? {}).filter(([name]) => !past.test(name));
    const rest = kept.length === 0 ? {} : { headers: Object.fromEntries(kept) };
    return { ...row, properties: { ...others, ...rest } };
  });
}

/** Such as `rejected in jobs, 3 times; published to orders with new`. */
function whereItDied(death: Browsed['last_death']): string {
  if (death === null) return '';
  const { reason, queue, exchange, routing_key: key, count } = death;
  const times = count === 1 ? '' : `, ${count} times`;
  const to = exchange === '' ? 'the default exchange' : (exchange ?? '?');
  return `${reason ?? '?'} in ${queue ?? '?'}${times}; published to ${to} with ${key ?? '?'}`;
}

async function consume(
  api: HttpApi,
  [queue]: readonly Arguments[],
  options: Options,
): Promise<undefined> {
  let left = limitOf(options);
  const json = formatOf(options) === 'json';
  let going = true;
  process.once('SIGINT', () => {
    going = false;
  });
  while (going && left > 0) {
    const got = await get(api, queue, options, Math.min(CONSUME_BATCH, left), 'ack_requeue_false');
    for (const message of got) {
      const { payload, payload_encoding: encoding } = message;
      if (json) process.stdout.write(`${jsonText(message)}\n`);
      else {
        process.stdout.write(encoding === 'base64' ? Buffer.from(payload, 'base64') : payload);
        print('\n');
      }
    }
    left -= got.length;
    if (got.length === 0) await new Promise((resolve) => setTimeout(resolve, CONSUME_PAUSE_MS));
  }
  return undefined;
}

/** In the words of the command line, which names its verbs. */
export const STUCK: Readonly<Record<string, string>> = {
  not_dead_letter: 'they are not dead letters (leveret move takes them to a queue that you name)',
  no_queue: 'the queue that they died in is gone, or is this one',
  refused: 'the queue that they would go to is full and refuses them',
};

async function redrive(
  api: HttpApi,
  queue: Arguments,
  options: Options,
  to: string | null,
): Promise<string> {
  const wanted = limitOf(options);
  // Named with the nearest, which the refusal of the whole would not say.
  if (to !== null) await api.get(`${queuePath(to, options)}?columns=name`);
  let moved = 0;
  const stuck: Record<string, number> = {};
  let cursor: string | null = '';
  while (cursor !== null && moved < wanted) {
    const answer = (await api.call('POST', `${queuePath(queue, options)}/redrive`, {
      cursor,
      count: wanted - moved,
      rate: options['rate'],
      ...(to === null ? {} : { to }),
      ...(typeof options['key'] === 'string' ? { key: options['key'] } : {}),
      ...(typeof options['header'] === 'string' ? { header: options['header'] } : {}),
    })) as {
      moved: number;
      stuck_reasons: Readonly<Record<string, number>>;
      next_cursor: string | null;
    };
    moved += answer.moved;
    for (const [why, count] of Object.entries(answer.stuck_reasons))
      stuck[why] = (stuck[why] ?? 0) + count;
    cursor = answer.next_cursor;
    if (cursor !== null && moved < wanted && process.stderr.isTTY)
      printError(`${moved} moved so far\n`);
  }
  const rest = Object.entries(stuck).flatMap(([why, count]) =>
    count === 0 ? [] : [`; ${count} stay: ${STUCK[why] ?? why}`],
  );
  return `Moved ${counted(moved, 'message')}${rest.join('')}\n`;
}
