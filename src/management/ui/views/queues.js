// Owns the list of queues: sorted, filtered and cut into pages by the broker.

import { at, call } from '../api.js';
import { form } from '../dialog.js';
import { bytes, count, link, pathOf, rate, span } from '../dom.js';
import { list } from '../list.js';
import { argumentsField, reference } from '../parts/arguments.js';
import { listPage } from '../parts/page.js';
import { deleteMany, pauseMany, purgeMany } from '../parts/queue/bulk.js';
import { traits } from '../parts/queue/traits.js';
import { vhostField } from '../parts/vhosts.js';

const rateOf = (row, name) => rate(row.message_stats?.[`${name}_details`]?.rate ?? 0);

/** How much of the time consumers could take a message at once, in %. */
const capacity = ({ consumers, consumer_capacity: share }) =>
  consumers === 0 ? '–' : `${Math.round(share * 100)} %`;

/** What can be done with many queues. */
const MANY = [
  { label: 'Pause', run: (rows) => pauseMany(rows, true) },
  { label: 'Resume', run: (rows) => pauseMany(rows, false) },
  { label: 'Purge', danger: true, run: purgeMany },
  { label: 'Delete', danger: true, run: deleteMany },
];

export async function show() {
  const rows = list({
    path: '/queues',
    pathIn: (vhost) => at`/queues/${vhost}`,
    caption: 'Queues',
    empty: 'There is no queue here. Declare one, or let a client do it.',
    key: (row) => `${row.vhost}/${row.name}`,
    sort: 'name',
    actions: MANY,
    columns: [
      {
        title: 'Name',
        sort: 'name',
        name: true,
        fixed: true,
        cell: (row) => link(pathOf('queue', row.vhost, row.name), row.name),
      },
      { title: 'Vhost', sort: 'vhost', wide: true, cell: (row) => row.vhost },
      { title: 'Features', wide: true, cell: traits },
      { title: 'Type', sort: 'type', off: true, cell: (row) => row.type },
      {
        title: 'Policy',
        sort: 'policy',
        off: true,
        cell: (row) => row.policy ?? '',
      },
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
        title: 'Delayed',
        num: true,
        sort: 'messages_delayed',
        when: (row) => row.messages_delayed > 0,
        cell: (row) => count(row.messages_delayed),
      },
      {
        title: 'Total',
        num: true,
        off: true,
        sort: 'messages',
        cell: (row) => count(row.messages),
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
        title: 'Capacity',
        num: true,
        off: true,
        sort: 'consumer_capacity',
        cell: (row) => capacity(row),
      },
      {
        title: 'Memory',
        num: true,
        off: true,
        sort: 'memory',
        cell: (row) => bytes(row.memory),
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
      ...Object.entries({ Acked: 'ack', Redelivered: 'redeliver', 'Empty gets': 'get_empty' }).map(
        ([title, name]) => ({
          title,
          num: true,
          off: true,
          sort: `message_stats.${name}_details.rate`,
          cell: (row) => rateOf(row, name),
        }),
      ),
    ],
  });
  return listPage('Queues', rows, 'Declare a queue', declare);
}

async function declare(refresh) {
  const [vhost, { queue_types: types, queue_arguments: known }] = await Promise.all([
    vhostField(),
    reference(),
  ]);
  await form({
    title: 'Declare a queue',
    action: 'Declare',
    fields: [
      vhost,
      { name: 'name', label: 'Name', required: true, about: /\bname\b/ },
      {
        name: 'type',
        label: 'Type',
        type: 'select',
        options: [
          { value: '', label: 'the default of the vhost' },
          ...types.map(({ name }) => name),
        ],
        help: ({ type }) => types.find(({ name }) => name === type)?.about ?? '',
      },
      { name: 'durable', label: 'Durable: it survives a restart', type: 'check', value: true },
      {
        name: 'auto_delete',
        label: 'Auto-delete: it is deleted with its last consumer',
        type: 'check',
      },
      {
        name: 'arguments',
        label: 'Arguments',
        widget: argumentsField({
          word: 'an argument',
          known: ({ type = '' }) =>
            known.filter(
              ({ name, only_for: only }) =>
                name !== 'x-queue-type' && (only === null || type === '' || only.includes(type)),
            ),
        }),
      },
    ],
    submit: async ({ vhost, name, type, arguments: given, ...body }) => {
      const args = type === '' ? given : { 'x-queue-type': type, ...given };
      await call('PUT', at`/queues/${vhost}/${name}`, { ...body, arguments: args });
      await refresh();
      return `Declared ${name}`;
    },
  });
}
