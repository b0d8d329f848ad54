// Owns the picture of a vhost: exchanges on the left, queues on the right, bindings as lines between them.

import { at, get } from '../api.js';
import { count, h, many, pathOf, replace, s } from '../dom.js';
import { vhostNames } from './queues.js';

/** More on a side would be no picture any more. */
const NODES_MAX = 60;
/** Asked for of each kind: enough for a picture, and bounded however much there is. */
const ASKED = 500;
const ROW = 52;
const BOX = { width: 250, height: 38 };
const GAP = 340;
const MARGIN = 10;
const NAME_CHARS = 32;
const KEY_CHARS = 24;

export async function show([wanted]) {
  const names = await vhostNames();
  const vhost = names.includes(wanted) ? wanted : names[0];
  const holder = h('div', { class: 'card scroll' });
  const select = h(
    'select',
    {
      'aria-label': 'Vhost',
      onchange: (event) => {
        location.hash = `#/topology/${encodeURIComponent(event.target.value)}`;
      },
    },
    names.map((name) => h('option', { value: name }, name)),
  );
  select.value = vhost;
  const page = `?page=1&page_size=${ASKED}`;
  // Bindings of the default exchange, one for each queue, have no source: so they come last.
  const [exchanges, bindings, queues] = await Promise.all([
    get(`${at`/exchanges/${vhost}`}${page}`),
    get(`${at`/bindings/${vhost}`}${page}&sort=source&sort_reverse=true`),
    get(`${at`/queues/${vhost}`}${page}&sort=messages&sort_reverse=true`),
  ]);
  const lines = bindings.items.filter(({ source }) => source !== '');
  const sides = layOut(exchanges.items, lines, queues.items);
  replace(holder, draw(vhost, sides, lines, exchanges.filtered_count, queues.filtered_count));
  return {
    element: h('div', null, h('div', { class: 'head' }, h('h1', null, 'Topology'), select), holder),
  };
}

/** What stands on either side, each in the order in which lines cross the least. */
function layOut(exchanges, lines, queues) {
  const used = new Set(
    lines.flatMap(({ source, destination, destination_type: type }) =>
      type === 'exchange' ? [source, destination] : [source],
    ),
  );
  const left = exchanges
    .filter(({ name }) => used.has(name) || (name !== '' && !name.startsWith('amq.')))
    .slice(0, NODES_MAX);
  const row = new Map(left.map(({ name }, i) => [name, i]));
  const known = new Map(queues.map((queue) => [queue.name, queue]));
  const heights = new Map();
  for (const { source, destination, destination_type: type } of lines) {
    if (type !== 'queue' || !row.has(source)) continue;
    heights.set(destination, [...(heights.get(destination) ?? []), row.get(source)]);
  }
  const mean = (list) => list.reduce((sum, each) => sum + each, 0) / list.length;
  const bound = [...heights]
    .sort(([a, x], [b, y]) => mean(x) - mean(y) || (a < b ? -1 : 1))
    .map(([name]) => known.get(name) ?? { name });
  const free = queues.filter(({ name }) => !heights.has(name));
  return { left, right: [...bound, ...free].slice(0, NODES_MAX) };
}

function draw(vhost, { left, right }, lines, exchangesAll, queuesAll) {
  if (left.length + right.length === 0) {
    return h(
      'div',
      { class: 'empty' },
      'There is nothing to draw yet: declare an exchange and a queue, and bind them.',
    );
  }
  const rows = Math.max(left.length, right.length);
  const height = rows * ROW + 2 * MARGIN;
  const width = 2 * MARGIN + 2 * BOX.width + GAP;
  const place = new Map();
  const column = (kind, nodes, x) => {
    // The shorter side stands in the middle of the longer one.
    const top = MARGIN + ((rows - nodes.length) * ROW) / 2 + (ROW - BOX.height) / 2;
    for (const [i, { name }] of nodes.entries())
      place.set(`${kind} ${name}`, { x, y: top + i * ROW });
  };
  column('exchange', left, MARGIN);
  column('queue', right, MARGIN + BOX.width + GAP);
  return [
    s(
      'svg',
      {
        class: 'topology',
        viewBox: `0 0 ${width} ${height}`,
        role: 'group',
        'aria-label': `Exchanges and queues of ${vhost}`,
      },
      drawLines(lines, place),
      left.map((each) => box('exchange', vhost, each.name, each.type, place)),
      right.map((each) => box('queue', vhost, each.name, load(each), place)),
    ),
    rows >= NODES_MAX
      ? h(
          'p',
          { class: 'quiet small' },
          `Drawn are ${many(left.length, 'exchange')} of ${count(exchangesAll)} and ${many(right.length, 'queue')} of ${count(queuesAll)}; the lists have them all.`,
        )
      : null,
  ];
}

const load = ({ messages, consumers }) =>
  messages === undefined ? '' : `${many(messages, 'message')}, ${many(consumers, 'consumer')}`;

/** The lines, each ending at a place of its own at what it leads to. */
function drawLines(lines, place) {
  const ends = new Map();
  for (const line of lines) {
    const from = place.get(`exchange ${line.source}`);
    const target = `${line.destination_type} ${line.destination}`;
    if (from === undefined || !place.has(target)) continue;
    ends.set(target, [...(ends.get(target) ?? []), line]);
  }
  return [...ends].flatMap(([target, to]) => {
    to.sort((a, b) => place.get(`exchange ${a.source}`).y - place.get(`exchange ${b.source}`).y);
    return to.map((line, i) => {
      const share = (i + 1) / (to.length + 1);
      const named = to.length <= 2 && line.destination_type === 'queue';
      return drawLine(line, place.get(`exchange ${line.source}`), place.get(target), share, named);
    });
  });
}

function drawLine(
  { source, destination, destination_type: type, routing_key: key },
  from,
  to,
  share,
  named,
) {
  const x1 = from.x + BOX.width;
  const y1 = from.y + BOX.height / 2;
  // An exchange sends from its middle, and is sent to above or below that.
  const y2 = to.y + BOX.height * (type === 'queue' ? share : from.y < to.y ? 0.2 : 0.8);
  const x2 = type === 'exchange' ? x1 : to.x;
  // From exchange to exchange a line goes out and comes back on the same side.
  const path =
    type === 'exchange'
      ? `M${x1} ${y1} C${x1 + 80} ${y1}, ${x1 + 80} ${y2}, ${x1 + 7} ${y2}`
      : `M${x1} ${y1} C${x1 + GAP / 2} ${y1}, ${x2 - GAP / 2} ${y2}, ${x2 - 7} ${y2}`;
  const label = key.length > KEY_CHARS ? `${key.slice(0, KEY_CHARS - 1)}…` : key;
  const tip = type === 'exchange' ? -1 : 1;
  return s(
    'g',
    { class: 'binding' },
    s('path', { d: path }),
    s('polygon', {
      points: `${x2},${y2} ${x2 - tip * 8},${y2 - 4} ${x2 - tip * 8},${y2 + 4}`,
    }),
    named && key !== ''
      ? s(
          'text',
          { x: x2 - 14, y: y2 + (y1 < y2 ? 12 : -5), class: 'key', 'text-anchor': 'end' },
          label,
        )
      : null,
    s('title', null, `${source} → ${destination}: ${key === '' ? '(empty key)' : key}`),
  );
}

function box(kind, vhost, name, sub, place) {
  const { x, y } = place.get(`${kind} ${name}`);
  const shown = name === '' ? '(default exchange)' : name;
  const text = shown.length > NAME_CHARS ? `${shown.slice(0, NAME_CHARS - 1)}…` : shown;
  return s(
    'a',
    { href: `#${pathOf(kind, vhost, name === '' ? 'amq.default' : name)}`, class: kind },
    s('rect', { x, y, width: BOX.width, height: BOX.height, rx: 8 }),
    s('text', { x: x + 12, y: y + 17 }, text),
    s('text', { x: x + 12, y: y + 31, class: 'sub' }, sub),
    s('title', null, shown),
  );
}
