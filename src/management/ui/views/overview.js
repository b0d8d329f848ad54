// Owns the overview: what there is, how fast it moves, how long it takes, and whether something is short.

import { get } from '../api.js';
import { bytes, count, facts, h, moment, rate, span, tag } from '../dom.js';
import { update } from '../morph.js';
import { histogram } from '../parts/histogram.js';
import { pastCharts } from '../parts/past.js';
import { table } from '../table.js';
import * as setAside from './set-aside.js';

/** @type {import('../parts/past.js').PastChart[]} */
const CHARTS = [
  {
    title: 'Messages per second',
    rates: true,
    format: rate,
    lines: {
      published: 'message_stats.publish',
      delivered: 'message_stats.deliver_get',
      acked: 'message_stats.ack',
      confirmed: 'message_stats.confirm',
    },
  },
  {
    title: 'Messages waiting',
    rates: false,
    lines: {
      ready: 'queue_totals.messages_ready',
      unacked: 'queue_totals.messages_unacknowledged',
    },
  },
  {
    title: 'Redelivered, unroutable and lost per second',
    rates: true,
    format: rate,
    lines: {
      redelivered: 'message_stats.redeliver',
      returned: 'message_stats.return_unroutable',
      dropped: 'message_stats.drop_unroutable',
      lost: 'message_stats.dropped',
    },
  },
];

export async function show() {
  const tiles = h('div', { class: 'tiles' });
  const banner = h('div');
  const past = pastCharts('/overview', ['message_stats', 'queue_totals'], CHARTS);
  const latencies = h('div', { class: 'grid' });
  const node = h('section', { class: 'card' });
  const ports = table({
    caption: 'Listeners',
    empty: 'Users with the tag monitoring see the listeners.',
    columns: [
      { title: 'Protocol', cell: (row) => row.protocol },
      { title: 'Address', cell: (row) => row.ip_address },
      { title: 'Port', num: true, cell: (row) => row.port },
    ],
  });
  const title = h('h1', null, 'Overview');
  return {
    element: h(
      'div',
      null,
      h('div', { class: 'head' }, title),
      banner,
      tiles,
      past.element,
      latencies,
      h(
        'div',
        { class: 'grid' },
        node,
        h('section', { class: 'card flat' }, h('h2', null, 'Listeners'), ports.element),
      ),
    ),
    async refresh() {
      const overview = await get('/overview');
      const nodes = await get('/nodes').catch(() => []);
      drawTiles(tiles, overview);
      update(banner, setAside.banner(overview.set_aside));
      await past.refresh();
      if (overview.latency) {
        update(
          latencies,
          histogram('From publish to delivery', overview.latency.enqueue_to_deliver),
          histogram('From delivery to ack', overview.latency.deliver_to_ack),
        );
      }
      drawNode(node, overview, nodes[0]);
      ports.show(overview.listeners ?? []);
    },
    dispose: past.dispose,
  };
}

function drawTiles(tiles, { object_totals: objects, queue_totals: totals }) {
  const tile = (value, label, path) =>
    h(
      'a',
      { class: 'tile', href: `#/${path}` },
      h('b', null, count(value)),
      h('span', null, label),
    );
  update(
    tiles,
    tile(totals.messages_ready, 'messages ready', 'queues'),
    tile(totals.messages_unacknowledged, 'unacked', 'queues'),
    tile(objects.queues, 'queues', 'queues'),
    tile(objects.consumers, 'consumers', 'connections'),
    tile(objects.connections, 'connections', 'connections'),
    tile(objects.channels, 'channels', 'connections'),
    tile(objects.exchanges, 'exchanges', 'exchanges'),
  );
}

function drawNode(section, overview, node) {
  update(
    section,
    h('h2', null, 'This broker'),
    facts([
      ['Version', `${overview.product_name} ${overview.product_version}`],
      ['Behaves as', `RabbitMQ ${overview.rabbitmq_version}`],
      ['Runs on', overview.erlang_full_version],
      node ? ['Since', `${moment(Date.now() - node.uptime)} (${span(node.uptime)})`] : null,
      node
        ? [
            'Memory',
            `${bytes(node.mem_used)} of ${bytes(node.mem_limit)} before publishers are blocked`,
          ]
        : null,
      node
        ? [
            'Disk free',
            `${bytes(node.disk_free)}, publishers are blocked below ${bytes(node.disk_free_limit)}`,
          ]
        : null,
      node ? ['Data', node.db_dir || tag('in memory only', 'warn')] : null,
      node ? ['Files open', `${count(node.fd_used)} of ${count(node.fd_total)}`] : null,
    ]),
  );
}
