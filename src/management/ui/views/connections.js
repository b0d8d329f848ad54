// Owns the pages of connections and channels, and of those that closed, with why.

import { at, call, get } from '../api.js';
import { form } from '../dialog.js';
import { bytes, count, facts, h, link, moment, rate, replace, tag } from '../dom.js';
import { table } from '../table.js';

const label = (row) => row.client_properties?.connection_name || row.name;

export async function show() {
  const open = table({
    caption: 'Connections',
    empty: 'Nobody is connected. Clients connect to the AMQP listeners that the overview shows.',
    columns: [
      {
        title: 'Name',
        name: true,
        cell: (row) => [
          link(`/connection/${encodeURIComponent(row.name)}`, label(row)),
          label(row) === row.name ? null : h('div', { class: 'quiet small' }, row.name),
        ],
      },
      { title: 'User', cell: (row) => row.user },
      { title: 'Vhost', cell: (row) => row.vhost },
      { title: 'State', cell: (row) => tag(row.state, row.state === 'running' ? '' : 'warn') },
      { title: 'Client', cell: client },
      { title: 'Channels', num: true, cell: (row) => count(row.channels) },
      { title: 'From', num: true, cell: (row) => `${bytes(row.recv_oct_details?.rate ?? 0)}/s` },
      { title: 'To', num: true, cell: (row) => `${bytes(row.send_oct_details?.rate ?? 0)}/s` },
    ],
  });
  const channels = channelTable();
  const gone = closedTable();
  return {
    element: h(
      'div',
      null,
      h('div', { class: 'head' }, h('h1', null, 'Connections')),
      h('section', { class: 'card flat' }, open.element),
      h('section', { class: 'card flat' }, h('h2', null, 'Channels'), channels.element),
      h('section', { class: 'card flat' }, h('h2', null, 'Closed lately, and why'), gone.element),
    ),
    async refresh() {
      open.show(await get('/connections'));
      channels.show((await get('/channels?page=1&page_size=100')).items);
      gone.show((await get('/closed')).closed.slice(0, 100));
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

function channelTable() {
  return table({
    caption: 'Channels',
    empty: 'No channel is open.',
    columns: [
      {
        title: 'Channel',
        name: true,
        cell: (row) =>
          link(`/connection/${encodeURIComponent(row.connection_details.name)}`, row.name),
      },
      { title: 'User', cell: (row) => row.user },
      {
        title: '',
        cell: (row) => [
          row.confirm ? tag('confirms', 'grey') : null,
          row.transactional ? tag('transactions', 'grey') : null,
        ],
      },
      { title: 'Consumers', num: true, cell: (row) => count(row.consumer_count) },
      { title: 'Prefetch', num: true, cell: (row) => count(row.prefetch_count) },
      { title: 'Unacked', num: true, cell: (row) => count(row.messages_unacknowledged) },
      { title: 'Unconfirmed', num: true, cell: (row) => count(row.messages_unconfirmed) },
      {
        title: 'Publishes',
        num: true,
        cell: (row) => rate(row.message_stats?.publish_details?.rate ?? 0),
      },
      {
        title: 'Gets',
        num: true,
        cell: (row) => rate(row.message_stats?.deliver_get_details?.rate ?? 0),
      },
    ],
  });
}

function closedTable() {
  return table({
    caption: 'Closed connections and channels',
    empty: 'Nothing has been closed since the start.',
    columns: [
      { title: 'When', cell: (row) => moment(row.time) },
      {
        title: 'What',
        name: true,
        cell: (row) => [row.kind === 'channel' ? `channel ${row.channel} of ` : '', row.connection],
      },
      { title: 'User', cell: (row) => row.user },
      { title: 'By', cell: (row) => tag(row.by, row.by === 'client' ? 'grey' : 'warn') },
      {
        title: 'Why',
        name: true,
        cell: (row) => [
          row.text === '' ? h('span', { class: 'quiet' }, 'closed in good order') : row.text,
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
  const channels = channelTable();
  const close = () =>
    form({
      title: 'Close this connection?',
      about:
        'Its unacked messages go back to their queues. Most clients connect again by themselves.',
      action: 'Close it',
      danger: true,
      fields: [
        { name: 'reason', label: 'The reason that it is told', value: 'Closed by an operator' },
      ],
      submit: async ({ reason }) => {
        await call('DELETE', path, undefined, { 'x-reason': reason });
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
        h('h1', null, name),
        h('button', { type: 'button', class: 'danger', onclick: close }, 'Close'),
      ),
      about,
      h('section', { class: 'card flat' }, h('h2', null, 'Channels'), channels.element),
    ),
    async refresh() {
      const row = await get(path);
      replace(
        about,
        facts([
          ['State', tag(row.state, row.state === 'running' ? '' : 'warn')],
          ['User', `${row.user}, vhost ${row.vhost}`],
          ['Since', moment(row.connected_at)],
          [
            'Login',
            `${row.auth_mechanism}${row.ssl ? `, ${row.ssl_protocol} ${row.ssl_cipher}` : ''}`,
          ],
          [
            'Agreed on',
            `heartbeat ${row.timeout} s, frames up to ${bytes(row.frame_max)}, ${row.channel_max} channels`,
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
