// Owns `leveret status` and `leveret top`: a running broker at a glance, once or all the time.

import { Option } from 'commander';
import { printable } from '../../../util/log/printable.ts';
import { render } from '../../output.ts';
import type { HttpApi } from '../../verb/http-api.ts';
import type { LiveVerb } from '../../verb/live.ts';
import { parseInteger } from '../../verb/verb-runner.ts';

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
  readonly db_dir: string;
}

const MIB = 2 ** 20;

export const statusVerb: LiveVerb = {
  name: 'status',
  about: 'Say how a running broker is.',
  run: async (api, _args, options) => {
    const overview = await api.get<Overview>('/overview');
    const [node] = await api.get<Node[]>('/nodes');
    if (options['formatter'] === 'json') {
      return `${JSON.stringify({ overview, node }, null, 2)}\n`;
    }
    return summary(overview, node as Node);
  },
};

function summary(overview: Overview, node: Node): string {
  const { object_totals: objects, queue_totals: totals } = overview;
  const alarms = [node.mem_alarm ? 'memory' : '', node.disk_free_alarm ? 'disk' : ''].filter(
    Boolean,
  );
  const rows: readonly (readonly [name: string, value: string])[] = [
    ['Version', versionOf(overview)],
    ['Up', `${Math.floor(node.uptime / 1000)} s`],
    ['Data', node.db_dir === '' ? 'in memory only' : node.db_dir],
    ['Memory', `${mib(node.mem_used)} of ${mib(node.mem_limit)}`],
    ['Disk free', mib(node.disk_free)],
    ['Alarms', alarms.length === 0 ? 'none' : `${alarms.join(', ')}: publishers are blocked`],
    ...setAsideRow(overview),
    ['Messages', `${totals['messages_ready']} ready, ${totals['messages_unacknowledged']} unacked`],
    [
      'Objects',
      ['queues', 'exchanges', 'connections', 'channels', 'consumers']
        .map((name) => `${objects[name]} ${name}`)
        .join(', '),
    ],
    ...(overview.listeners ?? []).map(({ protocol, ip_address: host, port }): [string, string] => [
      'Listens',
      `${protocol} ${host}:${port}`,
    ]),
  ];
  return rows.map(([name, value]) => `${name.padEnd(10)} ${value}\n`).join('');
}

/** What an operator has to look into; nothing where nothing is set aside. */
function setAsideRow({ set_aside: aside }: Overview): [string, string][] {
  if (aside === undefined || aside.messages + aside.definitions === 0) return [];
  const { messages, definitions } = aside;
  const what = `${messages} messages, ${definitions} definitions`;
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

/** Clears the screen and goes to its corner; hides and shows the cursor. */
const CLEAR = '\u001b[2J\u001b[H';
const HIDE = '\u001b[?25l';
const SHOW = '\u001b[?25h';

export const topVerb: LiveVerb = {
  name: 'top',
  about: 'Show queues and rates, live; q ends it.',
  options: [
    new Option('--interval <seconds>', 'How often to look.').argParser(parseInteger).default(2),
    new Option('--once', 'Look once, for scripts.'),
    new Option('--sort <column>', 'What queues are sorted by.').default('messages'),
  ],
  run: async (api, _args, options) => {
    const sort = String(options['sort']);
    let screen = await look(api, sort, null);
    if (options['once'] === true || !process.stdout.isTTY) return screen.text;
    const stop = whenAskedToStop();
    process.stdout.write(HIDE);
    try {
      while (!stop.asked) {
        process.stdout.write(CLEAR + printable(screen.text));
        await stop.or(Number(options['interval']) * 1000);
        if (!stop.asked) screen = await look(api, sort, screen);
      }
    } finally {
      process.stdout.write(`${SHOW}\n`);
      stop.release();
    }
    return undefined;
  },
};

interface Screen {
  readonly text: string;
  readonly at: number;
  readonly counts: Readonly<Record<string, number>>;
}

/** q, Q and Ctrl-C. */
const STOP_KEYS: readonly number[] = [0x71, 0x51, 0x03];

const RATES = ['publish', 'deliver_get', 'ack', 'confirm', 'redeliver'];

async function look(api: HttpApi, sort: string, before: Screen | null): Promise<Screen> {
  const overview = await api.get<Overview>('/overview');
  const query = `page=1&page_size=30&sort=${encodeURIComponent(sort)}&sort_reverse=true`;
  const { items } = await api.get<{ items: Readonly<Record<string, unknown>>[] }>(
    `/queues?${query}`,
  );
  const at = performance.now();
  const counts = overview.message_stats;
  const seconds = before === null ? 0 : (at - before.at) / 1000;
  const rates = RATES.map((name) => {
    if (before === null) return `${name} ${counts[name] ?? 0}`;
    return `${name} ${Math.round(((counts[name] ?? 0) - (before.counts[name] ?? 0)) / seconds)}/s`;
  });
  const { object_totals: objects, queue_totals: totals } = overview;
  const head = [
    `${objects['connections']} connections  ${objects['channels']} channels  ${objects['queues']} queues  ` +
      `${objects['consumers']} consumers`,
    `${totals['messages_ready']} ready  ${totals['messages_unacknowledged']} unacked`,
    rates.join('  '),
  ];
  const rateOf = (row: Readonly<Record<string, unknown>>, name: string): string => {
    const stats = row['message_stats'] as Readonly<Record<string, { rate?: number } | undefined>>;
    return `${Math.round(stats[`${name}_details`]?.rate ?? 0)}/s`;
  };
  const rows = items.map((row) => ({
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
  let wake = (): void => {};
  const stop = {
    asked: false,
    or: (delayMs: number) =>
      new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, delayMs);
        wake = () => {
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
    wake();
  };
  if (stdin.isTTY) stdin.setRawMode(true);
  stdin.on('data', onKey);
  return stop;
}
