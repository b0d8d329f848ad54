// Owns the lists of RabbitMQ's tools: what there is in a running broker. Never computes a column: columns.ts and the
// broker do.

import { Option } from 'commander';
import { jsonText } from '../../util/json/json-writer.ts';
import { ApiError, type HttpApi, part } from '../verb/http-api.ts';
import { parseLimit } from '../verb/verb-runner.ts';
import type { CtlCall, CtlVerb } from './ctl-verb.ts';
import {
  BINDING_COLUMNS,
  CHANNEL_COLUMNS,
  CONNECTION_COLUMNS,
  CONSUMER_COLUMNS,
  type Columns,
  chosenColumns,
  EXCHANGE_COLUMNS,
  listingOf,
  QUEUE_COLUMNS,
  type Row,
  VHOST_COLUMNS,
} from './show/columns.ts';

/** Where rows come from, and how the list is called. */
interface Kind {
  readonly name: string;
  readonly path: string;
  readonly columns: Columns;
  readonly inVhost?: true;
  readonly options?: readonly Option[];
  /** Whether the options leave a row out. */
  readonly wanted?: (row: Row, call: CtlCall) => boolean;
  banner(call: CtlCall): string;
}

/** Of one node, every queue is online and local. */
const QUEUE_OPTIONS = [
  new Option('--online', 'Those that are online: all of them.'),
  new Option('--offline', 'Those that are offline: none, with one node.'),
  new Option('--local', 'Those of this node: all of them.'),
];

const KINDS: readonly Kind[] = [
  {
    name: 'list_queues',
    path: '/queues',
    columns: QUEUE_COLUMNS,
    inVhost: true,
    options: QUEUE_OPTIONS,
    wanted: (_row, { options }) => options['offline'] !== true,
    banner: ({ vhost, timeoutMs }) =>
      `Timeout: ${((timeoutMs ?? 60_000) / 1000).toFixed(1)} seconds ...\nListing queues for vhost ${vhost} ...`,
  },
  {
    name: 'list_exchanges',
    path: '/exchanges',
    columns: EXCHANGE_COLUMNS,
    inVhost: true,
    banner: ({ vhost }) => `Listing exchanges for vhost ${vhost} ...`,
  },
  {
    name: 'list_bindings',
    path: '/bindings',
    columns: BINDING_COLUMNS,
    inVhost: true,
    banner: ({ vhost }) => `Listing bindings for vhost ${vhost}...`,
  },
  {
    name: 'list_vhosts',
    path: '/vhosts',
    columns: VHOST_COLUMNS,
    banner: () => 'Listing vhosts ...',
  },
  {
    name: 'list_connections',
    path: '/connections',
    columns: CONNECTION_COLUMNS,
    banner: () => 'Listing connections ...',
  },
  {
    name: 'list_channels',
    path: '/channels',
    columns: CHANNEL_COLUMNS,
    banner: () => 'Listing channels ...',
  },
  {
    name: 'list_consumers',
    path: '/consumers',
    columns: CONSUMER_COLUMNS,
    inVhost: true,
    banner: ({ vhost }) => `Listing consumers in vhost ${vhost} ...`,
  },
  {
    // Queues that are busy answer slowly there; here every queue answers with the broker.
    name: 'list_unresponsive_queues',
    path: '/queues',
    columns: QUEUE_COLUMNS,
    inVhost: true,
    options: [
      ...QUEUE_OPTIONS,
      new Option('--queue-timeout <ms>', 'Taken without effect.').argParser(parseLimit),
    ],
    wanted: () => false,
    banner: ({ vhost }) => `Listing unresponsive queues for vhost ${vhost} ...`,
  },
];

export const LIST_VERBS: readonly CtlVerb[] = KINDS.map((kind) => ({
  name: kind.name,
  arguments: '[columns...]',
  about: `List ${kind.name.slice(5).replaceAll('_', ' ')}.`,
  options: kind.options ?? [],
  banner: (call) => kind.banner(call),
  run: async (call) => {
    const chosen = chosenColumns(kind.columns, call.words);
    const rows = await rowsOf(call, kind);
    const wanted = rows.filter((row) => kind.wanted?.(row, call) ?? true);
    return listingOf(kind.columns, chosen, wanted);
  },
}));

async function rowsOf({ api, vhost }: CtlCall, { path, inVhost }: Kind): Promise<readonly Row[]> {
  try {
    return await api.get<Row[]>(inVhost ? `${path}/${part(vhost)}` : path);
  } catch (error) {
    // A vhost that is not there has nothing in it.
    if (inVhost && error instanceof ApiError && error.status === 404) return [];
    throw error;
  }
}

/** A value of the API as the tools show it: JSON in a text. */
const asText = (value: unknown): string => jsonText(value);

/** Policies, parameters and limits: what the tools show as JSON in a cell. */
export const VALUE_LIST_VERBS: readonly CtlVerb[] = [
  policies('list_policies', '/policies', 'policies'),
  policies('list_operator_policies', '/operator-policies', 'operator policy overrides'),
  {
    name: 'list_parameters',
    about: 'List the parameters of a vhost.',
    banner: ({ vhost }) => `Listing runtime parameters for vhost "${vhost}" ...`,
    run: async ({ api, vhost }) => {
      await api.get(`/vhosts/${part(vhost)}`);
      const rows = await api.get<Row[]>('/parameters');
      const shown = rows
        .filter((row) => row['vhost'] === vhost)
        .map((row) => ({ ...row, value: asText(row['value']) }));
      return { columns: ['component', 'name', 'value'], rows: shown };
    },
  },
  {
    name: 'list_global_parameters',
    about: 'List the parameters of the broker.',
    banner: () => 'Listing global runtime parameters ...',
    run: async ({ api }) => {
      const rows = await api.get<Row[]>('/global-parameters');
      const shown = rows.map((row) => ({ ...row, value: asText(row['value']) }));
      return { columns: ['name', 'value'], rows: shown };
    },
  },
  {
    name: 'list_vhost_limits',
    about: 'Show the limits of a vhost as JSON, or with --global of all that have any.',
    options: [new Option('--global', 'Of all vhosts.')],
    banner: ({ vhost, options }) =>
      options['global'] === true
        ? 'Listing limits for all vhosts ...'
        : `Listing limits for vhost "${vhost}" ...`,
    run: ({ api, vhost, options }) =>
      limits(api, 'vhost', options['global'] === true ? null : vhost),
  },
  {
    name: 'list_user_limits',
    about: 'Show the limits of a user as JSON, or with --global of all that have any.',
    options: [new Option('--global', 'Of all users.'), new Option('--user <user>', 'The user.')],
    banner: ({ options: { user } }) =>
      typeof user === 'string'
        ? `Listing limits for user "${user}" ...`
        : 'Listing limits for all users ...',
    run: ({ api, options: { user } }) =>
      limits(api, 'user', typeof user === 'string' ? user : null),
  },
];

function policies(name: string, path: string, what: string): CtlVerb {
  return {
    name,
    about: `List the ${what} of a vhost.`,
    banner: ({ vhost }) => `Listing ${what} for vhost "${vhost}" ...`,
    run: async ({ api, vhost }) => {
      const rows = await api.get<Row[]>(`${path}/${part(vhost)}`);
      const shown = rows.map((row) => ({ ...row, definition: asText(row['definition']) }));
      const columns = ['vhost', 'name', 'pattern', 'apply-to', 'definition', 'priority'];
      return { columns, rows: shown };
    },
  };
}

/** The limits of one as bare JSON, which is what Ansible reads; of all as a list. */
async function limits(api: HttpApi, of: 'vhost' | 'user', name: string | null) {
  const rows = await api.get<Row[]>(`/${of}-limits`);
  if (name !== null) {
    const path = of === 'vhost' ? `/vhosts/${part(name)}` : `/users/${part(name)}`;
    await api.get(path);
    const own = rows.find((row) => row[of] === name)?.['value'] ?? {};
    return { text: `${asText(own)}\n`, value: own };
  }
  const shown = rows.map((row) => ({ [of]: row[of], limits: asText(row['value']) }));
  return { columns: [of, 'limits'], rows: shown };
}
