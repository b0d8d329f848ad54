// Owns the page of one queue: its charts, its messages, and what can be done to it.

import { at, call, get } from '../api.js';
import { chart, Speed } from '../chart.js';
import { ask } from '../dialog.js';
import { bytes, count, facts, h, link, pathOf, rate, replace, span, tag } from '../dom.js';
import { update } from '../morph.js';
import { table } from '../table.js';
import { drawMessage } from './message.js';
import { histogram } from './overview.js';
import { button } from './parts.js';
import { bind, publish, purge, redrive, remove, take } from './queue-actions.js';
import { traits } from './queues.js';
import { sectionOf } from './set-aside.js';

export async function show([vhost, name]) {
  const path = at`/queues/${vhost}/${name}`;
  const depth = chart('Messages waiting', ['ready', 'unacked']);
  const rates = chart('Messages a second', ['in', 'delivered', 'acked', 'redelivered'], rate);
  const speed = new Speed();
  const about = h('section', { class: 'card' });
  const tiles = h('div', { class: 'tiles' });
  const latencies = h('div', { class: 'grid' });
  const consumers = consumerTable();
  const bindings = bindingTable(vhost);
  const browser = browse(path);
  const aside = sectionOf(vhost, name);
  const again = () => refresh();
  const refresh = async () => {
    const queue = await get(path);
    drawTiles(tiles, queue);
    drawFacts(about, queue);
    depth.add([queue.messages_ready, queue.messages_unacknowledged]);
    const of = (key) => queue.message_stats?.[key] ?? 0;
    rates.add(speed.of([of('publish'), of('deliver_get'), of('ack'), of('redeliver')]));
    if (queue.latency) {
      update(
        latencies,
        histogram('From publish to delivery', queue.latency.enqueue_to_deliver),
        histogram('From delivery to ack', queue.latency.deliver_to_ack),
      );
    }
    consumers.show(queue.consumer_details ?? []);
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
        button('Get', () => take(path, again)),
        button('Redrive or move', () => redrive(path, again)),
        button('Bind', () => bind(vhost, name, again)),
        button('Purge', () => purge(path, name, again), 'danger'),
        button('Delete', () => remove(path, name), 'danger'),
      ),
      tiles,
      h('div', { class: 'grid' }, depth.element, rates.element),
      aside.element,
      browser.element,
      latencies,
      about,
      h('section', { class: 'card flat' }, h('h2', null, 'Consumers'), consumers.element),
      h('section', { class: 'card flat' }, h('h2', null, 'Bindings'), bindings.element),
    ),
    refresh,
    dispose() {
      depth.dispose();
      rates.dispose();
    },
  };
}

function drawTiles(tiles, queue) {
  const tile = (value, label) =>
    h('div', { class: 'tile' }, h('b', null, value), h('span', null, label));
  update(
    tiles,
    tile(count(queue.messages_ready), 'messages ready'),
    tile(count(queue.messages_unacknowledged), 'unacked'),
    tile(bytes(queue.message_bytes), 'in messages'),
    tile(span(queue.oldest_message_age_ms), 'age of the oldest'),
    tile(count(queue.consumers), 'consumers'),
  );
}

function drawFacts(section, queue) {
  const args = Object.entries(queue.arguments ?? {});
  const code = (value) => h('code', { class: 'mono' }, JSON.stringify(value));
  update(
    section,
    facts([
      [
        'Kind',
        [queue.durable ? 'durable ' : null, traits({ ...queue, policy: null, arguments: {} })],
      ],
      ['Persistent', `${count(queue.messages_persistent)} of its messages`],
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
    empty: 'Nobody consumes from this queue.',
    columns: [
      { title: 'Tag', name: true, cell: (row) => row.consumer_tag },
      {
        title: 'Connection',
        name: true,
        cell: ({ channel_details: at_ }) =>
          link(`/connection/${encodeURIComponent(at_.connection_name)}`, at_.name),
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

/** Takes a binding away, after a question. */
export function unbind(vhost, row) {
  const kind = row.destination_type === 'queue' ? 'q' : 'e';
  return ask(
    `Unbind ${row.destination}?`,
    `It gets nothing more from ${row.source} with the key '${row.routing_key}'.`,
    'Unbind',
    async () => {
      await call(
        'DELETE',
        at`/bindings/${vhost}/e/${row.source}/${kind}/${row.destination}/${row.properties_key}`,
      );
      return 'Unbound';
    },
  );
}

// --- messages ---

/** The messages of a queue, looked at without disturbing them. */
function browse(path) {
  const list = h('div');
  const more = h('button', { type: 'button', hidden: true }, 'More');
  const key = h('input', {
    placeholder: 'Routing key, * for anything',
    'aria-label': 'Routing key',
  });
  const header = h('input', { placeholder: 'Header, or header:value', 'aria-label': 'Header' });
  const note = h('span', { class: 'quiet small grow' });
  let cursor = '';
  const load = async (event) => {
    event?.preventDefault();
    if (event?.type === 'submit') {
      cursor = '';
      replace(list);
    }
    const text = new URLSearchParams({ cursor, count: 20, key: key.value, header: header.value });
    try {
      const answer = await get(`${path}/messages?${text}`);
      list.append(...answer.messages.map(drawMessage));
      cursor = answer.next_cursor ?? '';
      more.hidden = answer.next_cursor === null;
      note.textContent = `looked at ${count(answer.scanned)} messages, found ${count(answer.messages.length)}`;
    } catch (error) {
      note.textContent = error.message;
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
