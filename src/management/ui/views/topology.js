// Owns the picture of a vhost: where exchanges and queues stand. Never draws a line: topology-lines.js does.

import { at, get } from '../api.js';
import { count, h, many, pathOf, replace, s } from '../dom.js';
import { chosenVhost } from '../frame/vhost.js';
import { bindingLine, otherLine, otherWays } from '../parts/topology-lines.js';
import { vhostNames } from '../parts/vhosts.js';

/** More on a side would be no picture any more. */
const NODES_MAX = 60;
/** Asked for of each kind: enough for a picture, and bounded however much there is. */
const ASKED = 500;
const ROW = 52;
const MARGIN = 10;
/**
 * How wide the picture is: its boxes, the gap between them, at each side the place for lines that bend back, and how
 * much of a name a box has place for.
 */
const WIDE = { box: { width: 250, height: 38 }, gap: 340, side: 64, nameChars: 32 };
/** On a phone, where it keeps its size and is moved within its frame. */
const NARROW = { box: { width: 180, height: 38 }, gap: 140, side: 64, nameChars: 22 };
const ON_PHONE = window.matchMedia('(max-width: 760px)');

export async function show([wanted]) {
  const names = await vhostNames();
  const vhost = wanted ?? (chosenVhost() || names[0]);
  if (vhost === undefined) return nothingToShow();
  const holder = h('div', { class: 'card scroll' });
  const select = h(
    'select',
    {
      'aria-label': 'Vhost of the picture',
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
    get(`${at`/bindings/${vhost}`}${page}&pagination=true&sort=source&sort_reverse=true`),
    get(`${at`/queues/${vhost}`}${page}&sort=messages&sort_reverse=true`),
  ]);
  const lines = bindings.items.filter(({ source }) => source !== '');
  const ways = otherWays(exchanges.items, queues.items);
  const sides = layOut(exchanges.items, lines, queues.items, ways);
  const picture = draw(vhost, sides, lines, ways, [
    exchanges.filtered_count,
    queues.filtered_count,
  ]);
  const whole = exchanges.filtered_count <= ASKED && queues.filtered_count <= ASKED;
  replace(holder, picture, whole ? missing(ways, exchanges.items, queues.items) : null);
  return {
    element: h('div', null, h('div', { class: 'head' }, h('h1', null, 'Topology'), select), holder),
  };
}

/** The page of a user that may use no vhost. */
function nothingToShow() {
  const text = 'Your user may use no vhost. An administrator can give it permissions in one.';
  return {
    element: h(
      'div',
      null,
      h('div', { class: 'head' }, h('h1', null, 'Topology')),
      h('div', { class: 'card empty' }, text),
    ),
  };
}

/** What stands on either side, each in the order in which lines cross the least. */
function layOut(exchanges, lines, queues, ways) {
  const used = new Set([
    ...ways.filter(({ to }) => to.kind === 'exchange').map(({ to }) => to.name),
    ...lines.flatMap(({ source, destination, destination_type: type }) =>
      type === 'exchange' ? [source, destination] : [source],
    ),
  ]);
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

function draw(vhost, { left, right }, lines, ways, [exchangesAll, queuesAll]) {
  if (left.length + right.length === 0) {
    return h(
      'div',
      { class: 'empty' },
      'There is nothing to draw yet: declare an exchange and a queue, and bind them.',
    );
  }
  const rows = Math.max(left.length, right.length);
  const height = rows * ROW + 2 * MARGIN;
  const shape = ON_PHONE.matches ? NARROW : WIDE;
  const { box: size, gap } = shape;
  // Only where a line bends back there.
  const before = ways.some(({ what }) => what === 'alternate') ? shape.side : MARGIN;
  const behind = ways.some(({ to }) => to.kind === 'queue') ? shape.side : MARGIN;
  const width = before + 2 * size.width + gap + behind;
  const place = new Map();
  const column = (kind, nodes, x) => {
    // The shorter side stands in the middle of the longer one.
    const top = MARGIN + ((rows - nodes.length) * ROW) / 2 + (ROW - size.height) / 2;
    for (const [i, { name }] of nodes.entries())
      place.set(`${kind} ${name}`, { x, y: top + i * ROW });
  };
  column('exchange', left, before);
  column('queue', right, before + size.width + gap);
  return [
    s(
      'svg',
      {
        class: 'topology',
        viewBox: `0 0 ${width} ${height}`,
        width,
        height,
        role: 'group',
        'aria-label': `Exchanges and queues of ${vhost}`,
      },
      drawWays(ways, place, size),
      drawLines(lines, place, size),
      left.map((each) => box('exchange', vhost, each.name, each.type, place, shape)),
      right.map((each) => box('queue', vhost, each.name, load(each), place, shape)),
    ),
    legend(ways),
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

/** The lines of dead letters and alternate exchanges whose ends are both in the picture. */
function drawWays(ways, place, size) {
  const spot = ({ kind, name }) => place.get(`${kind} ${name}`);
  return ways
    .filter(({ from, to }) => spot(from) !== undefined && spot(to) !== undefined)
    .map((way) => otherLine(way, spot(way.from), spot(way.to), size));
}

/** What the kinds of lines mean, where there is more than one. */
function legend(ways) {
  const has = (kind) => ways.some(({ what }) => what === kind);
  const texts = [
    has('dead') ? h('span', { class: 'line dead' }, 'dead letters') : null,
    has('alternate') ? h('span', { class: 'line alternate' }, 'to the alternate exchange') : null,
  ].filter((each) => each !== null);
  if (texts.length === 0) return null;
  return h('p', { class: 'legend' }, h('span', { class: 'line' }, 'binding'), texts);
}

/** Ways that lead to what is not there: messages are lost on them. */
function missing(ways, exchanges, queues) {
  const there = new Set([
    ...exchanges.map(({ name }) => `exchange ${name}`),
    ...queues.map(({ name }) => `queue ${name}`),
  ]);
  const gone = ways.filter(({ to }) => !there.has(`${to.kind} ${to.name}`));
  if (gone.length === 0) return null;
  const text = ({ what, from, to }) =>
    what === 'dead'
      ? `Dead letters of "${from.name}" are dropped: there is no ${to.kind} "${to.name}".`
      : `Messages that no binding of "${from.name}" takes are lost: there is no exchange "${to.name}".`;
  return h(
    'ul',
    { class: 'banner missing' },
    gone.map((way) => h('li', null, text(way))),
  );
}

/** The lines, each ending at a place of its own at what it leads to. */
function drawLines(lines, place, size) {
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
      const from = place.get(`exchange ${line.source}`);
      return bindingLine(line, from, place.get(target), size, share, to.length <= 2);
    });
  });
}

function box(kind, vhost, name, sub, place, { box: size, nameChars }) {
  const { x, y } = place.get(`${kind} ${name}`);
  const shown = name === '' ? '(default exchange)' : name;
  const text = shown.length > nameChars ? `${shown.slice(0, nameChars - 1)}…` : shown;
  return s(
    'a',
    { href: `#${pathOf(kind, vhost, name === '' ? 'amq.default' : name)}`, class: kind },
    s('rect', { x, y, ...size, rx: 8 }),
    s('text', { x: x + 12, y: y + 17 }, text),
    s('text', { x: x + 12, y: y + 31, class: 'sub' }, sub),
    s('title', null, shown),
  );
}
