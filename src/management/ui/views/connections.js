// Owns the pages of connections and channels, and of those that closed, with why.

import { at, call, get } from '../api.js';
import { form } from '../dialog.js';
import { bytes, count, facts, h, many, moment, rate, replace, tag } from '../dom.js';
import { chosenVhost } from '../frame/vhost.js';
import { list } from '../list.js';
import { update } from '../morph.js';
import { channelLink, connectionLink, titleOf } from '../parts/peer.js';
import { table } from '../table.js';

const CHANNELS = {
  empty: 'No channel is open.',
  key: (row) => row.name,
  columns: [
    {
      title: 'Channel',
      sort: 'name',
      name: true,
      fixed: true,
      cell: (row) => channelLink(row.name, row.number, row.connection_details),
    },
    { title: 'User', sort: 'user', cell: (row) => row.user },
    {
      title: '',
      cell: (row) => [
        row.confirm ? tag('confirms', 'grey') : null,
        row.transactional ? tag('transactions', 'grey') : null,
      ],
    },
    {
      title: 'Consumers',
      num: true,
      sort: 'consumer_count',
      cell: (row) => count(row.consumer_count),
    },
    {
      title: 'Prefetch',
      num: true,
      sort: 'prefetch_count',
      cell: (row) => count(row.prefetch_count),
    },
    {
      title: 'Unacked',
      num: true,
      sort: 'messages_unacknowledged',
      cell: (row) => count(row.messages_unacknowledged),
    },
    {
      title: 'Unconfirmed',
      num: true,
      sort: 'messages_unconfirmed',
      cell: (row) => count(row.messages_unconfirmed),
    },
    {
      title: 'Publishes',
      num: true,
      sort: 'message_stats.publish_details.rate',
      cell: (row) => rate(row.message_stats?.publish_details?.rate ?? 0),
    },
    {
      title: 'Deliveries',
      num: true,
      sort: 'message_stats.deliver_get_details.rate',
      cell: (row) => rate(row.message_stats?.deliver_get_details?.rate ?? 0),
    },
    ...Object.entries({
      Acks: 'ack',
      Confirms: 'confirm',
      Redelivered: 'redeliver',
      Returned: 'return_unroutable',
      Dropped: 'drop_unroutable',
    }).map(([title, name]) => ({
      title,
      num: true,
      off: true,
      sort: `message_stats.${name}_details.rate`,
      cell: (row) => rate(row.message_stats?.[`${name}_details`]?.rate ?? 0),
    })),
    { title: 'Vhost', off: true, sort: 'vhost', cell: (row) => row.vhost },
  ],
};

/** Of those that closed, so many are shown. */
const CLOSED_SHOWN = 100;

export async function show() {
  const vhost = chosenVhost();
  const open = list({
    path: '/connections',
    pathIn: (vhost) => at`/vhosts/${vhost}/connections`,
    caption: 'Connections',
    key: (row) => row.name,
    sort: 'name',
    empty: 'No client is connected. Clients connect to the AMQP listeners that the overview shows.',
    columns: [
      {
        title: 'Name',
        sort: 'name',
        name: true,
        fixed: true,
        cell: (row) => connectionLink(row),
      },
      { title: 'User', sort: 'user', cell: (row) => row.user },
      { title: 'Vhost', sort: 'vhost', wide: true, cell: (row) => row.vhost },
      {
        title: 'State',
        sort: 'state',
        cell: (row) => tag(row.state, row.state === 'running' ? '' : 'warn'),
      },
      { title: 'Client', wide: true, cell: client },
      {
        title: 'Protocol',
        off: true,
        cell: (row) => [row.protocol, row.ssl ? tag(row.ssl_protocol, 'grey') : null],
      },
      { title: 'Since', off: true, sort: 'connected_at', cell: (row) => moment(row.connected_at) },
      { title: 'Channels', num: true, sort: 'channels', cell: (row) => count(row.channels) },
      {
        title: 'From',
        num: true,
        sort: 'recv_oct_details.rate',
        cell: (row) => `${bytes(row.recv_oct_details?.rate ?? 0)}/s`,
      },
      {
        title: 'To',
        num: true,
        sort: 'send_oct_details.rate',
        cell: (row) => `${bytes(row.send_oct_details?.rate ?? 0)}/s`,
      },
    ],
  });
  const channels = list({
    path: '/channels',
    pathIn: (vhost) => at`/vhosts/${vhost}/channels`,
    caption: 'Channels',
    ...CHANNELS,
    sort: 'name',
    prefix: 'channels.',
  });
  const gone = closedTable();
  return {
    element: h(
      'div',
      null,
      h('div', { class: 'head' }, h('h1', null, 'Connections')),
      open.element,
      h('h2', null, 'Channels'),
      channels.element,
      h('section', { class: 'card flat' }, h('h2', null, 'Recently closed, and why'), gone.element),
    ),
    async refresh() {
      await open.refresh();
      await channels.refresh();
      const { closed } = await get('/closed');
      const mine = closed.filter((row) => vhost === '' || row.vhost === vhost);
      gone.show(mine.slice(0, CLOSED_SHOWN));
    },
  };
}

function client(row) {
  const { product, version, platform } = row.client_properties ?? {};
  return [
    h('span', null, [product, version].filter(Boolean).join(' ')),
    platform ? h('div', { class: 'quiet small' }, platform) : null,
  ];
}

function closedTable() {
  return table({
    caption: 'Closed connections and channels',
    empty: 'Nothing has been closed since the start.',
    columns: [
      {
        title: 'What',
        name: true,
        cell: (row) => [
          row.kind === 'channel' ? `channel ${row.channel} of ` : '',
          row.user_provided_name || row.connection,
          row.user_provided_name ? h('div', { class: 'quiet small' }, row.connection) : null,
          h('div', { class: 'quiet small' }, moment(row.time)),
        ],
      },
      { title: 'User', wide: true, cell: (row) => row.user },
      {
        title: 'By',
        wide: true,
        cell: (row) => tag(row.by, row.by === 'client' ? 'grey' : 'warn'),
      },
      {
        title: 'Why',
        name: true,
        cell: (row) => [
          row.text === '' ? h('span', { class: 'quiet' }, 'closed normally') : row.text,
          row.method ? h('div', { class: 'quiet small' }, `by ${row.method}`) : null,
          row.advice ? h('div', { class: 'small' }, row.advice) : null,
        ],
      },
    ],
  });
}

export async function showOne([name]) {
  const path = at`/connections/${name}`;
  const about = h('section', { class: 'card' });
  const title = h('h1', null, name);
  const channels = table({ caption: 'Channels', ...CHANNELS });
  const close = () =>
    form({
      title: 'Close this connection?',
      about:
        'Its unacked messages go back to their queues. Most clients connect again by themselves.',
      action: 'Close it',
      danger: true,
      fields: [
        {
          name: 'reason',
          label: 'Reason (sent to the client)',
          value: 'Closed by an operator',
        },
      ],
      submit: async ({ reason }) => {
        // A header takes a letter for each byte.
        const octets = new TextEncoder().encode(reason);
        await call('DELETE', path, undefined, { 'x-reason': String.fromCharCode(...octets) });
        location.hash = '#/connections';
        return 'Closed';
      },
    });
  return {
    element: h(
      'div',
      null,
      h(
        'div',
        { class: 'head' },
        title,
        h('button', { type: 'button', class: 'danger', onclick: close }, 'Close'),
      ),
      about,
      h('section', { class: 'card flat' }, h('h2', null, 'Channels'), channels.element),
    ),
    async refresh() {
      const row = await get(path);
      replace(title, titleOf(row));
      document.title = `${titleOf(row)} · Leveret`;
      update(
        about,
        facts([
          ['Name', row.name],
          ['State', tag(row.state, row.state === 'running' ? '' : 'warn')],
          ['User', `${row.user}, vhost ${row.vhost}`],
          ['Since', moment(row.connected_at)],
          [
            'Login',
            `${row.auth_mechanism}${row.ssl ? `, ${row.ssl_protocol} ${row.ssl_cipher}` : ''}`,
          ],
          [
            'Agreed on',
            `heartbeat ${row.timeout} s, frames up to ${bytes(row.frame_max)}, ${many(row.channel_max, 'channel')}`,
          ],
          [
            'Traffic',
            `${bytes(row.recv_oct)} received, ${bytes(row.send_oct)} sent, ${bytes(row.send_pend)} wait`,
          ],
          ['Client', h('pre', null, JSON.stringify(row.client_properties, null, 1))],
        ]),
      );
      channels.show(await get(`${path}/channels`));
    },
  };
}
