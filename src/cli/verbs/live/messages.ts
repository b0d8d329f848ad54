// Owns the verbs for messages of a running broker: publish, get, browse, consume, move, redrive.

import { readFileSync } from 'node:fs';
import { Option } from 'commander';
import type { Listing } from '../../output.ts';
import { print, printError } from '../../print.ts';
import { type HttpApi, part } from '../../verb/http-api.ts';
import { type LiveVerb, vhostOf } from '../../verb/live.ts';
import type { Arguments, Options } from '../../verb/verb.ts';
import { parseInteger, parseJsonOption } from '../../verb/verb-runner.ts';

/** A message as the API shows it. */
interface Message {
  readonly exchange: string;
  readonly routing_key: string;
  readonly redelivered: boolean;
  readonly payload: string;
  readonly payload_encoding: 'string' | 'base64';
}

/** How many messages one call gets, and how long to wait where there is none. */
const CONSUME_BATCH = 500;
const CONSUME_PAUSE_MS = 250;

const COUNT = (initial: number, said?: string): Option =>
  new Option('-c, --count <n>', 'How many at most.').argParser(parseInteger).default(initial, said);
const KEY = new Option('--key <pattern>', 'Only with this routing key; * stands for anything.');
const HEADER = new Option('--header <name[:value]>', 'Only with this header.');

const COLUMNS = ['exchange', 'routing_key', 'redelivered', 'properties', 'payload'];

export const messageVerbs: readonly LiveVerb[] = [
  {
    name: 'publish',
    arguments: '[payload]',
    about: "Publish a message; without a payload, or with '-', what standard input says.",
    vhost: true,
    options: [
      new Option('-x, --exchange <name>', 'The exchange.').default('', 'the default one'),
      new Option('-k, --key <key>', 'The routing key; with the default exchange, a queue.').default(
        '',
      ),
      new Option('--properties <json>', 'Properties, such as {"content_type":"text/plain"}.')
        .argParser(parseJsonOption)
        .default({}, 'none'),
      new Option('--transient', 'It need not survive a restart.'),
    ],
    run: publish,
  },
  {
    name: 'get',
    arguments: '<queue>',
    about: 'Get messages, and put them back unless told otherwise.',
    vhost: true,
    options: [
      COUNT(1),
      new Option('--ack', 'Take them out for good.').conflicts('reject'),
      new Option('--reject', 'Reject them: they are dead-lettered, or lost.'),
    ],
    run: async (api, [queue], options) => {
      const mode =
        options['ack'] === true
          ? 'ack_requeue_false'
          : options['reject'] === true
            ? 'reject_requeue_false'
            : 'ack_requeue_true';
      const rows = await get(api, queue, options, Number(options['count']), mode);
      return { columns: COLUMNS, rows };
    },
  },
  {
    name: 'browse',
    arguments: '<queue>',
    about: 'Look at messages where they are, without delivering them.',
    vhost: true,
    options: [COUNT(20), KEY, HEADER],
    run: browse,
  },
  {
    name: 'consume',
    arguments: '<queue>',
    about: 'Print the payloads of messages and take them out, as they come, until Ctrl-C.',
    vhost: true,
    options: [COUNT(Number.MAX_SAFE_INTEGER, 'all')],
    more: 'A message is taken out once it was read: one that is printed while this is killed is lost.',
    run: consume,
  },
  {
    name: 'move',
    arguments: '<from> <to>',
    about: 'Move messages from one queue to another: each is in one of them at any moment.',
    vhost: true,
    options: [COUNT(Number.MAX_SAFE_INTEGER, 'all'), KEY, HEADER, rateOption()],
    run: (api, [from, to], options) => redrive(api, from, options, String(to)),
  },
  {
    name: 'redrive',
    arguments: '<queue>',
    about: 'Move dead letters back to the queues that they died in, as they were.',
    vhost: true,
    options: [COUNT(Number.MAX_SAFE_INTEGER, 'all'), KEY, HEADER, rateOption()],
    run: (api, [queue], options) => redrive(api, queue, options, null),
  },
  {
    name: 'retry',
    arguments: '<queue> <id>',
    about: 'Put a message that is set aside back into its queue; the id `all` means all of them.',
    vhost: true,
    run: async (api, [queue, id], options) => {
      const answer = await api.call('POST', `${asidePath(queue, id, options)}/retry`, {});
      return `Put back: ${(answer as { retried: number }).retried}\n`;
    },
  },
  {
    name: 'export',
    arguments: '<queue> <id>',
    about: 'Print a message that is set aside, with its raw bytes in base64, as JSON.',
    vhost: true,
    run: async (api, [queue, id], options) =>
      `${JSON.stringify(await api.get<object>(asidePath(queue, id, options)), null, 2)}\n`,
  },
  {
    name: 'drop',
    arguments: '<queue> <id>',
    about: 'Delete a message that is set aside for good; the id `all` means all of them.',
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
  return new Option('--rate <n>', 'At most so many a second.')
    .argParser(parseInteger)
    .default(0, 'no limit');
}

async function publish(
  api: HttpApi,
  [payload = '-']: readonly Arguments[],
  options: Options,
): Promise<string> {
  const bytes = payload === '-' ? readFileSync(0) : Buffer.from(String(payload));
  const exchange = part(options['exchange'] === '' ? 'amq.default' : String(options['exchange']));
  const mode = options['transient'] === true ? {} : { delivery_mode: 2 };
  const answer = (await api.call('POST', `/exchanges/${vhostOf(options)}/${exchange}/publish`, {
    routing_key: options['key'],
    payload: bytes.toString('base64'),
    payload_encoding: 'base64',
    properties: { ...mode, ...(options['properties'] as object) },
  })) as { routed: boolean };
  return answer.routed
    ? 'Published\n'
    : 'Published, but no queue took it: look at the routing key\n';
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
  const wanted = Number(options['count']);
  const rows: object[] = [];
  let cursor: string | null = '';
  while (cursor !== null && rows.length < wanted) {
    const query = new URLSearchParams({
      cursor,
      count: String(Math.min(1000, wanted - rows.length)),
    });
    for (const name of ['key', 'header'] as const) {
      if (typeof options[name] === 'string') query.set(name, options[name]);
    }
    const page: { messages: object[]; next_cursor: string | null } = await api.get(
      `${queuePath(queue, options)}/messages?${query}`,
    );
    rows.push(...page.messages);
    cursor = page.next_cursor;
  }
  return { columns: ['seq', 'state', ...COLUMNS.filter((each) => each !== 'redelivered')], rows };
}

async function consume(
  api: HttpApi,
  [queue]: readonly Arguments[],
  options: Options,
): Promise<undefined> {
  let left = Number(options['count']);
  let going = true;
  process.once('SIGINT', () => {
    going = false;
  });
  while (going && left > 0) {
    const got = await get(api, queue, options, Math.min(CONSUME_BATCH, left), 'ack_requeue_false');
    for (const { payload, payload_encoding: encoding } of got) {
      process.stdout.write(encoding === 'base64' ? Buffer.from(payload, 'base64') : payload);
      print('\n');
    }
    left -= got.length;
    if (got.length === 0) await new Promise((resolve) => setTimeout(resolve, CONSUME_PAUSE_MS));
  }
  return undefined;
}

async function redrive(
  api: HttpApi,
  queue: Arguments,
  options: Options,
  to: string | null,
): Promise<string> {
  const wanted = Number(options['count']);
  let [moved, stuck] = [0, 0];
  let cursor: string | null = '';
  while (cursor !== null && moved < wanted) {
    const answer = (await api.call('POST', `${queuePath(queue, options)}/redrive`, {
      cursor,
      count: wanted - moved,
      rate: options['rate'],
      ...(to === null ? {} : { to }),
      ...(typeof options['key'] === 'string' ? { key: options['key'] } : {}),
      ...(typeof options['header'] === 'string' ? { header: options['header'] } : {}),
    })) as { moved: number; stuck: number; next_cursor: string | null };
    moved += answer.moved;
    stuck += answer.stuck;
    cursor = answer.next_cursor;
    if (cursor !== null && moved < wanted) printError(`${moved} moved so far\n`);
  }
  const rest = stuck === 0 ? '' : `; ${stuck} stay, since their queues are gone or full`;
  return `Moved ${moved} ${moved === 1 ? 'message' : 'messages'}${rest}\n`;
}
