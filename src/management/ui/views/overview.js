// Owns the overview: what there is, how fast it moves, how long it takes, and whether something is short.

import { get } from '../api.js';
import { chart, Speed } from '../chart.js';
import { bytes, count, facts, h, moment, rate, span, tag } from '../dom.js';
import { update } from '../morph.js';
import { table } from '../table.js';
import * as setAside from './set-aside.js';

export async function show() {
  const tiles = h('div', { class: 'tiles' });
  const banner = h('div');
  const rates = chart('Messages a second', ['published', 'delivered', 'acked', 'confirmed'], rate);
  const depth = chart('Messages waiting', ['ready', 'unacked']);
  const latencies = h('div', { class: 'grid' });
  const node = h('section', { class: 'card' });
  const ports = table({
    caption: 'Listeners',
    empty: 'Only those who monitor see the listeners.',
    columns: [
      { title: 'Protocol', cell: (row) => row.protocol },
      { title: 'Address', cell: (row) => row.ip_address },
      { title: 'Port', num: true, cell: (row) => row.port },
    ],
  });
  const speed = new Speed();
  const title = h('h1', null, 'Overview');
  return {
    element: h(
      'div',
      null,
      h('div', { class: 'head' }, title),
      banner,
      tiles,
      h('div', { class: 'grid' }, rates.element, depth.element),
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
      drawBanner(banner, nodes[0], overview);
      const { message_stats: stats, queue_totals: totals } = overview;
      const of = (name) => stats[name] ?? 0;
      rates.add(speed.of([of('publish'), of('deliver_get'), of('ack'), of('confirm')]));
      depth.add([totals.messages_ready, totals.messages_unacknowledged]);
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
    dispose() {
      rates.dispose();
      depth.dispose();
    },
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

function drawBanner(banner, node, overview) {
  const alarms = [
    node?.mem_alarm ? 'Memory is short' : null,
    node?.disk_free_alarm ? 'The disk is nearly full' : null,
  ].filter((each) => each !== null);
  update(
    banner,
    alarms.length === 0
      ? null
      : h(
          'div',
          { class: 'banner', role: 'alert' },
          `${alarms.join(' and ')}: whoever publishes is blocked until messages are consumed or purged, or the limit is raised.`,
        ),
    setAside.banner(overview.set_aside),
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

/** A histogram of times, as bars. */
export function histogram(title, latency) {
  let before = 0;
  const all = latency.buckets.map(({ le_ms: bound, count: sum }) => {
    const own = sum - before;
    before = sum;
    return { bound, own, sum };
  });
  const some = all.map(({ own }) => own > 0);
  // Buckets between the first and the last are shown even if they are empty: gaps tell something.
  const rows = all.slice(Math.max(0, some.indexOf(true)), some.lastIndexOf(true) + 1);
  const most = Math.max(1, ...rows.map(({ own }) => own));
  return h(
    'section',
    { class: 'card' },
    h('h2', null, title),
    latency.count === 0
      ? h('p', { class: 'quiet' }, 'Nothing has been timed yet.')
      : [
          h(
            'p',
            { class: 'quiet small' },
            `${within(all, latency.count)}, mean ${span(latency.sum_ms / latency.count)}, ${count(latency.count)} timed`,
          ),
          h(
            'div',
            { class: 'bars' },
            rows.map(({ bound, own }) =>
              h(
                'div',
                null,
                h('span', null, bound === null ? 'longer' : `≤ ${span(bound)}`),
                h('progress', { max: most, value: own, 'aria-label': `${own}` }),
                h('span', null, count(own)),
              ),
            ),
          ),
        ],
  );
}

/** Within which times half and nearly all are, as exactly as the buckets tell. */
function within(buckets, all) {
  const bound = (share) => {
    const found = buckets.find(({ sum }) => sum >= all * share)?.bound ?? null;
    return found === null ? 'longer' : `≤ ${span(found)}`;
  };
  return `half ${bound(0.5)}, 99 % ${bound(0.99)}`;
}
