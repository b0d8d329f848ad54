// Owns the page of one queue: its charts, its messages, and what can be done to it.

import { at, get } from '../api.js';
import {
  bytes,
  count,
  facts,
  h,
  link,
  many,
  messageOf,
  pathOf,
  rate,
  replace,
  span,
  tag,
} from '../dom.js';
import { update } from '../morph.js';
import { unbind } from '../parts/bindings.js';
import { histogram } from '../parts/histogram.js';
import { drawMessage } from '../parts/message.js';
import { button } from '../parts/page.js';
import { pastCharts } from '../parts/past.js';
import { channelLink } from '../parts/peer.js';
import { bind, pause, publish, purge, redrive, remove, take } from '../parts/queue/actions.js';
import { delayedSection } from '../parts/queue/delayed.js';
import { limitWords, placeOf, streamSections, streamTiles } from '../parts/queue/stream.js';
import { traits } from '../parts/queue/traits.js';
import { table } from '../table.js';
import { sectionOf } from './set-aside.js';

/** What the charts need of a queue. */
const PAST = [
  'messages_ready',
  'messages_unacknowledged',
  'messages_ready_details',
  'messages_unacknowledged_details',
  'message_stats',
];

/** @type {import('../parts/past.js').PastChart[]} */
const CHARTS = [
  {
    title: 'Messages waiting',
    rates: false,
    lines: { ready: 'messages_ready', unacked: 'messages_unacknowledged' },
  },
  {
    title: 'Messages per second',
    rates: true,
    format: rate,
    lines: {
      in: 'message_stats.publish',
      delivered: 'message_stats.deliver_get',
      acked: 'message_stats.ack',
      redelivered: 'message_stats.redeliver',
      lost: 'message_stats.dropped',
    },
  },
];

export async function show([vhost, name]) {
  const path = at`/queues/${vhost}/${name}`;
  const isStream = (await get(`${path}?columns=type`)).type === 'stream';
  const past = pastCharts(path, PAST, CHARTS);
  const about = h('section', { class: 'card' });
  const tiles = h('div', { class: 'tiles' });
  const latencies = h('div', { class: 'grid' });
  const consumers = consumerTable();
  const bindings = bindingTable(vhost);
  const browser = browse(path, isStream);
  const aside = sectionOf(vhost, name);
  const again = () => refresh();
  // What waits is of queues alone, and readers with places of streams.
  const delayed = isStream ? null : delayedSection(path, again);
  const stream = isStream ? streamSections(path, again) : null;
  const hold = h('span');
  const banner = h('div');
  const refresh = async () => {
    const queue = await get(path);
    const paused = queue.state === 'paused';
    update(
      hold,
      button(paused ? 'Resume' : 'Pause', () => pause(path, name, !paused, again)),
    );
    update(banner, pausedBanner(queue));
    drawTiles(tiles, queue);
    drawFacts(about, queue);
    await past.refresh();
    if (queue.latency) {
      update(
        latencies,
        histogram('From publish to delivery', queue.latency.enqueue_to_deliver),
        histogram('From delivery to ack', queue.latency.deliver_to_ack),
      );
    }
    consumers.show(queue.consumer_details ?? []);
    await delayed?.refresh();
    await stream?.refresh();
    await aside.refresh();
    bindings.show((await get(`${path}/bindings`)).filter(({ source }) => source !== ''));
  };
  return {
    element: h(
      'div',
      null,
      h(
        'div',
        { class: 'head' },
        h('h1', null, name),
        tag(vhost, 'grey'),
        button('Publish', () => publish(vhost, name, again)),
        isStream ? null : button('Get', () => take(path, again)),
        isStream ? null : button('Redrive or move', () => redrive(path, again)),
        button('Bind', () => bind(vhost, name, again)),
        hold,
        isStream ? null : button('Purge', () => purge(path, name, again), 'danger'),
        button('Delete', () => remove(path, name), 'danger'),
      ),
      banner,
      tiles,
      past.element,
      delayed?.element ?? null,
      stream?.elements ?? null,
      aside.element,
      browser.element,
      latencies,
      about,
      h('section', { class: 'card flat' }, h('h2', null, 'Consumers'), consumers.element),
      h('section', { class: 'card flat' }, h('h2', null, 'Bindings'), bindings.element),
    ),
    refresh,
    dispose: past.dispose,
  };
}

/** Says that a queue is paused, and what that means. */
function pausedBanner({ state, messages_ready: ready, consumers }) {
  if (state !== 'paused') return null;
  return h(
    'div',
    { class: 'banner' },
    h('b', null, 'This queue is paused. '),
    `Publishers go on; ${many(consumers, 'consumer')} and basic.get get none of its ${many(ready, 'ready message')} until it is resumed.`,
  );
}

function drawTiles(tiles, queue) {
  const tile = (value, label) =>
    h('div', { class: 'tile' }, h('b', null, value), h('span', null, label));
  update(
    tiles,
    (queue.type === 'stream' ? streamTiles : queueTiles)(queue).map(([value, label]) =>
      tile(value, label),
    ),
  );
}

function queueTiles(queue) {
  const capacity = `${Math.round(queue.consumer_capacity * 100)} %`;
  return [
    [count(queue.messages_ready), 'messages ready'],
    [count(queue.messages_unacknowledged), 'unacked'],
    [count(queue.messages_delayed), delayedLabel(queue)],
    [bytes(queue.message_bytes), 'in messages'],
    [span(queue.oldest_message_age_ms), 'age of the oldest'],
    [count(queue.consumers), 'consumers'],
    [queue.consumers === 0 ? '–' : capacity, 'consumer capacity'],
  ];
}

/** What the tile of waiting messages says: when the next of them is due. */
function delayedLabel({ next_delayed_at: next }) {
  if (next === null || next === undefined) return 'delayed';
  const awayMs = next - Date.now();
  return awayMs <= 0 ? 'delayed, the next due now' : `delayed, the next in ${span(awayMs)}`;
}

/** What a message dies of, in words. */
const DEATHS = {
  maxlen: 'over the length limit',
  expired: 'expired',
  rejected: 'rejected',
  delivery_limit: 'came back too often',
};

/**
 * How many messages died, and of what; null: none. `field` says which: those that are gone, or those that went on.
 * @returns {[string, string] | null}
 */
function died(name, { deaths }, field) {
  const rows = Object.entries(DEATHS).map(([reason, words]) => [deaths?.[reason][field], words]);
  const some = rows.filter(([n]) => n > 0);
  if (some.length === 0) return null;
  const all = some.reduce((sum, [n]) => sum + n, 0);
  const words = some.map(([n, why]) => `${count(n)} ${why}`).join(', ');
  return [name, `${many(all, 'message')}: ${words}`];
}

/** How many groups have messages, where there are groups. */
function groupsNow({ message_groups: groups }) {
  if (groups === null || groups === undefined) return '';
  return groups === 1 ? ' 1 group has messages.' : ` ${count(groups)} groups have messages.`;
}

/**
 * What becomes of messages in it.
 * @returns {[string, string][]}
 */
function keepingFacts(queue) {
  if (queue.type === 'stream') return [['Keeps', limitWords(queue.limits)]];
  return [
    ['Persistent', `${count(queue.messages_persistent)} of its messages`],
    ['Retries', queue.retry_rule],
  ];
}

function drawFacts(section, queue) {
  const args = Object.entries(queue.arguments ?? {});
  const refused = queue.message_stats?.refused ?? 0;
  const code = (value) => h('code', { class: 'mono' }, JSON.stringify(value));
  update(
    section,
    facts([
      [
        'Kind',
        [queue.durable ? 'durable ' : null, traits({ ...queue, policy: null, arguments: {} })],
      ],
      ...keepingFacts(queue),
      died('Lost', queue, 'dropped'),
      died('Dead-lettered', queue, 'dead_lettered'),
      refused > 0 ? ['Refused', `${many(refused, 'message')} while it was full`] : null,
      queue.delivery_rule ? ['Deliveries', `${queue.delivery_rule}${groupsNow(queue)}`] : null,
      queue.policy
        ? ['Policy', [tag(queue.policy), code(queue.effective_policy_definition)]]
        : null,
      args.length > 0
        ? [
            'Arguments',
            args.map(([key, value]) =>
              h('div', { class: 'mono' }, `${key} = ${JSON.stringify(value)}`),
            ),
          ]
        : null,
    ]),
  );
}

function consumerTable() {
  return table({
    caption: 'Consumers',
    empty: 'This queue has no consumers.',
    columns: [
      { title: 'Tag', name: true, cell: (row) => row.consumer_tag },
      {
        title: 'Channel',
        name: true,
        cell: ({ channel_details: at_ }) =>
          channelLink(at_.name, at_.number, { ...at_, name: at_.connection_name }),
      },
      { title: 'User', cell: (row) => row.channel_details.user },
      {
        title: '',
        cell: (row) => [
          row.ack_required ? null : tag('no ack', 'grey'),
          row.exclusive ? tag('exclusive', 'grey') : null,
          row.active ? null : tag('waits', 'warn'),
        ],
      },
      {
        title: 'Prefetch',
        num: true,
        cell: (row) => (row.prefetch_count === 0 ? 'no limit' : count(row.prefetch_count)),
      },
    ],
  });
}

function bindingTable(vhost) {
  return table({
    caption: 'Bindings',
    empty: 'No exchange is bound to this queue; the default exchange reaches it by its name.',
    columns: [
      {
        title: 'From',
        name: true,
        cell: (row) => link(pathOf('exchange', vhost, row.source), row.source),
      },
      { title: 'Binding key', name: true, cell: (row) => row.routing_key },
      {
        title: 'Arguments',
        wide: true,
        cell: (row) =>
          Object.keys(row.arguments).length === 0 ? '' : JSON.stringify(row.arguments),
      },
      {
        title: '',
        num: true,
        cell: (row) =>
          h(
            'button',
            { type: 'button', class: 'danger', onclick: () => unbind(vhost, row) },
            'Unbind',
          ),
      },
    ],
  });
}

// --- messages ---

/** The messages of a queue, looked at without disturbing them; of a stream from a place on. */
function browse(path, isStream) {
  const list = h('div');
  const more = h('button', { type: 'button', hidden: true }, 'More');
  const key = h('input', {
    placeholder: 'Key, such as order.*',
    'aria-label': 'Routing key',
  });
  const header = h('input', { placeholder: 'Header or header:value', 'aria-label': 'Header' });
  const place = h('input', {
    placeholder: 'From: 42, -10, last, 1h, a time',
    'aria-label': 'From the offset or time',
    hidden: !isStream,
  });
  const filter = h('input', {
    placeholder: 'Filter value',
    'aria-label': 'Filter value',
    hidden: !isStream,
  });
  const note = h('span', { class: 'quiet small grow' });
  let cursor = '';
  const load = async (event) => {
    event?.preventDefault();
    if (event?.type === 'submit') {
      cursor = '';
      replace(list);
    }
    const text = new URLSearchParams({ cursor, count: '20', key: key.value, header: header.value });
    if (filter.value !== '') text.set('filter', filter.value);
    const from = cursor === '' && place.value.trim() !== '' ? placeOf(place.value) : {};
    for (const [name, value] of Object.entries(from)) text.set(name, value);
    try {
      const answer = await get(`${path}/messages?${text}`);
      list.append(...answer.messages.map(drawMessage));
      cursor = answer.next_cursor ?? '';
      more.hidden = answer.next_cursor === null;
      note.textContent = `looked at ${many(answer.scanned, 'message')}, found ${count(answer.messages.length)}`;
    } catch (error) {
      note.textContent = messageOf(error);
    }
  };
  more.addEventListener('click', load);
  return {
    element: h(
      'section',
      { class: 'card flat' },
      h('h2', null, 'Messages'),
      h(
        'form',
        { class: 'bar', onsubmit: load },
        place,
        filter,
        key,
        header,
        h('button', { type: 'submit' }, 'Browse'),
        note,
      ),
      list,
      h('div', { class: 'bar' }, h('span', { class: 'grow' }), more),
    ),
  };
}
