// Owns the list of queues: sorted, filtered and cut into pages by the broker.

import { at, call, get } from '../api.js';
import { form } from '../dialog.js';
import { bytes, count, h, link, pathOf, rate, span, tag } from '../dom.js';
import { list } from '../list.js';
import { listPage } from './parts.js';

const rateOf = (row, name) => rate(row.message_stats?.[`${name}_details`]?.rate ?? 0);

export async function show() {
  const vhosts = await vhostNames();
  const rows = list({
    path: '/queues',
    caption: 'Queues',
    empty: 'There is no queue here. Declare one, or let a client do it.',
    key: (row) => `${row.vhost}/${row.name}`,
    sort: 'name',
    vhosts,
    columns: [
      {
        title: 'Name',
        sort: 'name',
        name: true,
        cell: (row) => link(pathOf('queue', row.vhost, row.name), row.name),
      },
      { title: 'Vhost', sort: 'vhost', wide: true, cell: (row) => row.vhost },
      { title: '', wide: true, cell: traits },
      {
        title: 'Ready',
        num: true,
        sort: 'messages_ready',
        cell: (row) => count(row.messages_ready),
      },
      {
        title: 'Unacked',
        num: true,
        sort: 'messages_unacknowledged',
        cell: (row) => count(row.messages_unacknowledged),
      },
      {
        title: 'Size',
        num: true,
        wide: true,
        sort: 'message_bytes',
        cell: (row) => bytes(row.message_bytes),
      },
      {
        title: 'Oldest',
        num: true,
        wide: true,
        sort: 'oldest_message_age_ms',
        cell: (row) => span(row.oldest_message_age_ms),
      },
      {
        title: 'Consumers',
        num: true,
        sort: 'consumers',
        cell: (row) => count(row.consumers),
      },
      {
        title: 'In',
        num: true,
        sort: 'message_stats.publish_details.rate',
        cell: (row) => rateOf(row, 'publish'),
      },
      {
        title: 'Out',
        num: true,
        sort: 'message_stats.deliver_get_details.rate',
        cell: (row) => rateOf(row, 'deliver_get'),
      },
    ],
  });
  return listPage('Queues', rows, 'Declare a queue', declare);
}

/** What a queue is, in a few words. */
export function traits(row) {
  return [
    row.durable ? null : tag('transient', 'grey'),
    row.auto_delete ? tag('auto-delete', 'grey') : null,
    row.exclusive ? tag('exclusive', 'grey') : null,
    row.type === 'quorum' ? tag('quorum', 'grey') : null,
    row.policy ? tag(row.policy) : null,
    argumentTags(row.arguments ?? {}),
  ];
}

/** What the arguments that matter most are called in short. */
const ARGUMENTS = {
  'x-dead-letter-exchange': 'dead-letters',
  'x-dead-letter-routing-key': 'dead-letters',
  'x-message-ttl': 'ttl',
  'x-expires': 'expires',
  'x-max-length': 'limit',
  'x-max-length-bytes': 'limit',
  'x-max-priority': 'priorities',
  'x-single-active-consumer': 'single active',
  'x-delivery-limit': 'delivery limit',
};

function argumentTags(given) {
  const title = JSON.stringify(given, null, 1);
  const names = Object.keys(given).filter((name) => name !== 'x-queue-type');
  const texts = new Set(names.map((name) => ARGUMENTS[name] ?? 'args'));
  return [...texts].map((text) => h('span', { class: 'tag grey', title }, text));
}

/** The names of the vhosts that may be chosen. */
export async function vhostNames() {
  return (await get('/vhosts')).map(({ name }) => name);
}

async function declare(refresh) {
  const vhosts = await vhostNames();
  await form({
    title: 'Declare a queue',
    action: 'Declare',
    fields: [
      { name: 'vhost', label: 'Vhost', type: 'select', options: vhosts },
      { name: 'name', label: 'Name', required: true },
      { name: 'durable', label: 'Durable: it survives a restart', type: 'check', value: true },
      { name: 'auto_delete', label: 'Auto-delete: it goes with its last consumer', type: 'check' },
      {
        name: 'arguments',
        label: 'Arguments (JSON)',
        type: 'area',
        placeholder: '{"x-message-ttl": 60000, "x-dead-letter-exchange": "dead"}',
      },
    ],
    submit: async ({ vhost, name, ...body }) => {
      await call('PUT', at`/queues/${vhost}/${name}`, body);
      await refresh();
      return `Declared ${name}`;
    },
  });
}
