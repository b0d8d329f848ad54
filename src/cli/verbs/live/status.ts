// Owns `leveret status` and `leveret top`: a running broker at a glance, once or all the time.

import { Option } from 'commander';
import { jsonText } from '../../../util/json/json-writer.ts';
import { printable } from '../../../util/log/printable.ts';
import { counted, render } from '../../output.ts';
import { formatOf } from '../../verb/answers.ts';
import type { HttpApi } from '../../verb/http-api.ts';
import type { LiveVerb } from '../../verb/live.ts';
import { parseCount } from '../../verb/verb-runner.ts';
import { requireQueueColumn } from './list.ts';

/** What is read of the API. */
interface Overview {
  readonly product_name: string;
  readonly product_version: string;
  readonly rabbitmq_version: string;
  readonly object_totals: Readonly<Record<string, number>>;
  readonly queue_totals: Readonly<Record<string, number>>;
  readonly message_stats: Readonly<Record<string, number>>;
  /** RabbitMQ has none. */
  readonly set_aside?: { readonly messages: number; readonly definitions: number };
  readonly listeners?: readonly {
    readonly protocol: string;
    readonly ip_address: string;
    readonly port: number;
  }[];
}

interface Node {
  readonly uptime: number;
  readonly mem_used: number;
  readonly mem_limit: number;
  readonly disk_free: number;
  readonly mem_alarm: boolean;
  readonly disk_free_alarm: boolean;
  readonly log_alarm?: boolean;
  readonly db_dir: string;
}

const MIB = 2 ** 20;

export const statusVerb: LiveVerb = {
  name: 'status',
  about: 'Show the state of a running broker.',
  run: async (api, _args, options) => {
    const overview = await api.get<Overview>('/overview');
    const [node] = await api.get<Node[]>('/nodes');
    if (formatOf(options) === 'json') {
      return `${jsonText({ overview, node }, 2)}\n`;
    }
    return summary(overview, node as Node);
  },
};

/** Those that wait for their time are named where some do. */
function messagesOf(totals: Overview['queue_totals']): string {
  const {
    messages_ready: ready,
    messages_unacknowledged: unacked,
    messages_delayed: delayed,
  } = totals;
  const waiting = delayed === undefined || delayed === 0 ? '' : `, ${delayed} delayed`;
  return `${ready} ready, ${unacked} unacked${waiting}`;
}

function summary(overview: Overview, node: Node): string {
  const { object_totals: objects, queue_totals: totals } = overview;
  const { mem_alarm: memory, disk_free_alarm: disk, log_alarm: log } = node;
  const alarms = [memory && 'memory', disk && 'disk', log === true && 'log'].filter(Boolean);
  const rows: readonly (readonly [name: string, value: string])[] = [
    ['Version', versionOf(overview)],
    ['Up', `${Math.floor(node.uptime / 1000)} s`],
    ['Data', node.db_dir === '' ? 'in memory only' : node.db_dir],
    ['Memory', `${mib(node.mem_used)} of ${mib(node.mem_limit)}`],
    ['Disk free', mib(node.disk_free)],
    ['Alarms', alarms.length === 0 ? 'none' : `${alarms.join(', ')}: publishers are blocked`],
    ...setAsideRow(overview),
    ['Messages', messagesOf(totals)],
    [
      'Objects',
      objectsOf(objects, ['queue', 'exchange', 'connection', 'channel', 'consumer']).join(', '),
    ],
    ...(overview.listeners ?? []).map(({ protocol, ip_address: host, port }): [string, string] => [
      'Listens',
      `${protocol} ${host}:${port}`,
    ]),
  ];
  return rows.map(([name, value]) => `${name.padEnd(10)} ${value}\n`).join('');
}

/** How many there are of each kind. */
function objectsOf(counts: Overview['object_totals'], kinds: readonly string[]): string[] {
  return kinds.map((kind) => counted(counts[`${kind}s`] ?? 0, kind));
}

/** What an operator has to look into; nothing where nothing is set aside. */
function setAsideRow({ set_aside: aside }: Overview): [string, string][] {
  if (aside === undefined || aside.messages + aside.definitions === 0) return [];
  const { messages, definitions } = aside;
  const what = `${counted(messages, 'message')}, ${counted(definitions, 'definition')}`;
  return [['Set aside', `${what}: see \`leveret list set-aside\``]];
}

/** The URL may be that of a RabbitMQ, which has the same API. */
function versionOf(overview: Overview): string {
  const { product_name: name, product_version: version, rabbitmq_version: like } = overview;
  return name === 'RabbitMQ'
    ? `${name} ${version}`
    : `${name} ${version}, behaves as RabbitMQ ${like}`;
}

function mib(bytes: number): string {
  return bytes >= Number.MAX_SAFE_INTEGER ? 'unknown' : `${Math.round(bytes / MIB)} MiB`;
}

/** The longest that a timer runs; one beyond it would not wait at all. */
const TIMER_MS_MAX = 2 ** 31 - 1;
/** What `top` shows at most, and the lines above its queues and below. */
const QUEUES_MAX = 500;
const HEAD_LINES = 6;
/** Clears the screen and goes to its corner; hides and shows the cursor. */
const CLEAR = '\u001b[2J\u001b[H';
const HIDE = '\u001b[?25l';
const SHOW = '\u001b[?25h';

export const topVerb: LiveVerb = {
  name: 'top',
  about: 'Show queues and rates, live; q ends it.',
  options: [
    new Option('--interval <seconds>', 'Time between two updates.')
      .argParser(parseCount)
      .default(2),
    new Option('--once', 'Print once and end, for scripts.'),
    new Option('--sort <column>', 'The column to sort queues by.').default('messages'),
    new Option('--limit <n>', 'The most queues to show.')
      .argParser(parseCount)
      .default(QUEUES_MAX, 'as many as the terminal has lines for'),
  ],
  run: async (api, _args, options) => {
    const sort = String(options['sort']);
    const most = Number(options['limit']);
    const { stdout } = process;
    if (formatOf(options) === 'json') {
      const { overview, queues } = await facts(api, sort, most);
      return `${jsonText({ overview, queues }, 2)}\n`;
    }
    const live = options['once'] !== true && stdout.isTTY && process.env['TERM'] !== 'dumb';
    if (!live) return (await look(api, sort, most, null)).text;
    const stop = whenAskedToStop();
    // A terminal of another size is drawn anew at once.
    stdout.on('resize', stop.wake);
    stdout.write(HIDE);
    try {
      for (let screen: Screen | null = null; !stop.asked; ) {
        screen = await look(api, sort, Math.min(most, stdout.rows - HEAD_LINES), screen);
        stdout.write(CLEAR + fitted(printable(`q ends it  ${screen.text}`), stdout));
        await stop.or(Math.min(Number(options['interval']) * 1000, TIMER_MS_MAX));
      }
    } finally {
      stdout.write(`${SHOW}\n`);
      stdout.off('resize', stop.wake);
      stop.release();
    }
    return undefined;
  },
};

/** As much of a text as a terminal has room for; the cursor's line stays free. */
export function fitted(
  text: string,
  { rows, columns }: { readonly rows: number; readonly columns: number },
): string {
  const lines = text
    .trimEnd()
    .split('\n')
    .slice(0, Math.max(1, rows - 1));
  return lines.map((line) => [...line].slice(0, columns).join('')).join('\n');
}

interface Screen {
  readonly text: string;
  readonly at: number;
  readonly counts: Readonly<Record<string, number>>;
}

/** q, Q and Ctrl-C. */
const STOP_KEYS: readonly number[] = [0x71, 0x51, 0x03];

const RATES = ['publish', 'deliver_get', 'ack', 'confirm', 'redeliver'];

type Row = Readonly<Record<string, unknown>>;

interface TopFacts {
  readonly overview: Overview;
  readonly queues: readonly Row[];
}

/** The columns of `top` as fields of the HTTP API; any other field is one, too. */
const SORTED_BY: Readonly<Record<string, string>> = {
  queue: 'name',
  ready: 'messages_ready',
  unacked: 'messages_unacknowledged',
  in: 'message_stats.publish_details.rate',
  out: 'message_stats.deliver_get_details.rate',
};

async function facts(api: HttpApi, sort: string, most: number): Promise<TopFacts> {
  const overview = await api.get<Overview>('/overview');
  const size = Math.max(1, Math.min(QUEUES_MAX, most));
  const by = SORTED_BY[sort] ?? sort;
  const query = `page=1&page_size=${size}&sort=${encodeURIComponent(by)}&sort_reverse=true`;
  const { items } = await api.get<{ items: Row[] }>(`/queues?${query}`);
  requireQueueColumn(items, by);
  return { overview, queues: items };
}

async function look(
  api: HttpApi,
  sort: string,
  most: number,
  before: Screen | null,
): Promise<Screen> {
  const { overview, queues } = await facts(api, sort, most);
  const at = performance.now();
  const counts = overview.message_stats;
  const seconds = before === null ? 0 : (at - before.at) / 1000;
  const rates = RATES.map((name) => {
    if (before === null) return `${name} ${counts[name] ?? 0}`;
    return `${name} ${Math.round(((counts[name] ?? 0) - (before.counts[name] ?? 0)) / seconds)}/s`;
  });
  const { object_totals: objects, queue_totals: totals } = overview;
  const head = [
    objectsOf(objects, ['connection', 'channel', 'queue', 'consumer']).join('  '),
    `${totals['messages_ready']} ready  ${totals['messages_unacknowledged']} unacked`,
    `${before === null ? 'since the start:' : 'now:'}  ${rates.join('  ')}`,
  ];
  const rateOf = (row: Row, name: string): string => {
    const stats = row['message_stats'] as
      | Readonly<Record<string, { rate?: number } | undefined>>
      | undefined;
    return `${Math.round(stats?.[`${name}_details`]?.rate ?? 0)}/s`;
  };
  const rows = queues.map((row) => ({
    vhost: row['vhost'],
    queue: row['name'],
    ready: row['messages_ready'],
    unacked: row['messages_unacknowledged'],
    consumers: row['consumers'],
    in: rateOf(row, 'publish'),
    out: rateOf(row, 'deliver_get'),
  }));
  const columns = ['vhost', 'queue', 'ready', 'unacked', 'consumers', 'in', 'out'];
  return { text: `${head.join('\n')}\n\n${render({ columns, rows }, 'table')}`, at, counts };
}

/** Notices q and Ctrl-C, without waiting for the end of a line. */
function whenAskedToStop() {
  const { stdin } = process;
  let end = (): void => {};
  const stop = {
    asked: false,
    wake: (): void => end(),
    or: (delayMs: number) =>
      new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, delayMs);
        end = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
    release: () => {
      stdin.off('data', onKey);
      if (stdin.isTTY) stdin.setRawMode(false);
      stdin.pause();
    },
  };
  const onKey = (keys: Buffer): void => {
    if (![...keys].some((key) => STOP_KEYS.includes(key))) return;
    stop.asked = true;
    end();
  };
  if (stdin.isTTY) stdin.setRawMode(true);
  stdin.on('data', onKey);
  return stop;
}
