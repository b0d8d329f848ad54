// Owns the page of one channel: what it may do, how fast it is, and its consumers.

import { at, get } from '../api.js';
import { chart, Speed } from '../chart.js';
import { count, facts, h, link, many, pathOf, rate, replace, tag } from '../dom.js';
import { update } from '../morph.js';
import { connectionLink, titleOf } from '../parts/peer.js';
import { table } from '../table.js';

/** What its chart shows, by the names of the API. */
const LINES = {
  published: 'publish',
  confirmed: 'confirm',
  delivered: 'deliver_get',
  acked: 'ack',
  returned: 'return_unroutable',
  redelivered: 'redeliver',
};

export async function show([name]) {
  const path = at`/channels/${name}`;
  const title = h('h1', null, name);
  const about = h('section', { class: 'card' });
  const rates = chart('Messages per second', Object.keys(LINES), rate);
  const speed = new Speed();
  const consumers = table({
    caption: 'Consumers',
    empty: 'This channel has no consumers.',
    columns: [
      { title: 'Tag', name: true, cell: (row) => row.consumer_tag },
      {
        title: 'Queue',
        name: true,
        cell: ({ queue }) => link(pathOf('queue', queue.vhost, queue.name), queue.name),
      },
      {
        title: '',
        cell: (row) => [
          row.ack_required ? null : tag('no ack', 'grey'),
          row.exclusive ? tag('exclusive', 'grey') : null,
          row.active ? null : tag('waits', 'warn'),
        ],
      },
      { title: 'Prefetch', num: true, cell: (row) => limit(row.prefetch_count) },
    ],
  });
  return {
    element: h(
      'div',
      null,
      h('div', { class: 'head' }, title),
      about,
      h('div', { class: 'grid' }, rates.element),
      h('section', { class: 'card flat' }, h('h2', null, 'Consumers'), consumers.element),
    ),
    async refresh() {
      const row = await get(path);
      const heading = `${titleOf(row.connection_details)} (${row.number})`;
      replace(title, heading);
      document.title = `${heading} · Leveret`;
      const of = (key) => row.message_stats?.[key] ?? 0;
      rates.add(speed.of(Object.values(LINES).map(of)));
      drawFacts(about, row);
      consumers.show(row.consumer_details);
    },
    dispose: rates.dispose,
  };
}

const limit = (value) => (value === 0 ? 'no limit' : count(value));

function drawFacts(section, row) {
  const modes = [
    row.confirm ? tag('confirms', 'grey') : null,
    row.transactional ? tag('transactions', 'grey') : null,
  ];
  update(
    section,
    facts([
      ['Connection', connectionLink(row.connection_details)],
      ['State', tag(row.state, row.state === 'running' ? '' : 'warn')],
      ['User', `${row.user}, vhost ${row.vhost}`],
      modes.some((each) => each !== null) ? ['Mode', modes] : null,
      [
        'Prefetch',
        `${limit(row.prefetch_count)} for each consumer, ${limit(row.global_prefetch_count)} for the channel`,
      ],
      ['Unacked', many(row.messages_unacknowledged, 'message')],
      row.confirm ? ['Unconfirmed', many(row.messages_unconfirmed, 'message')] : null,
      row.transactional
        ? [
            'Uncommitted',
            `${count(row.messages_uncommitted)} publishes, ${many(row.acks_uncommitted, 'ack')}`,
          ]
        : null,
      row.idle_since ? ['Idle since', new Date(row.idle_since).toLocaleString()] : null,
    ]),
  );
}
