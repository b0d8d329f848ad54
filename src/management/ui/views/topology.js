// Owns the picture of a vhost: exchanges on the left, queues on the right, bindings as lines between them.

import { at, get } from '../api.js';
import { count, h, many, pathOf, replace, s } from '../dom.js';
import { vhostNames } from './queues.js';

/** More would be no picture any more. */
const NODES_MAX = 60;
const ROW = 46;
const BOX = { width: 250, height: 34 };
const GAP = 330;

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
  const [exchanges, bindings, queues] = await Promise.all([
    get(at`/exchanges/${vhost}`),
    get(at`/bindings/${vhost}`),
    get(`${at`/queues/${vhost}`}?page=1&page_size=500&sort=messages&sort_reverse=true`),
  ]);
  replace(holder, draw(vhost, exchanges, bindings, queues.items));
  return {
    element: h('div', null, h('div', { class: 'head' }, h('h1', null, 'Topology'), select), holder),
  };
}

function draw(vhost, exchanges, bindings, queues) {
  const lines = bindings.filter(({ source }) => source !== '');
  const used = new Set(
    lines.flatMap(({ source, destination, destination_type: type }) =>
      type === 'exchange' ? [source, destination] : [source],
    ),
  );
  const left = exchanges.filter(
    ({ name }) => used.has(name) || (name !== '' && !name.startsWith('amq.')),
  );
  const bound = new Set(
    lines
      .filter(({ destination_type: type }) => type === 'queue')
      .map(({ destination }) => destination),
  );
  const right = [
    ...queues.filter(({ name }) => bound.has(name)),
    ...queues.filter(({ name }) => !bound.has(name)),
  ];
  if (left.length + right.length === 0) {
    return h(
      'div',
      { class: 'empty' },
      'There is nothing to draw yet: declare an exchange and a queue, and bind them.',
    );
  }
  const shownLeft = left.slice(0, NODES_MAX);
  const shownRight = right.slice(0, NODES_MAX);
  const height = Math.max(shownLeft.length, shownRight.length) * ROW + 20;
  const place = new Map();
  for (const [i, { name }] of shownLeft.entries()) {
    place.set(`exchange ${name}`, { x: 10, y: 10 + i * ROW });
  }
  for (const [i, { name }] of shownRight.entries()) {
    place.set(`queue ${name}`, { x: 10 + BOX.width + GAP, y: 10 + i * ROW });
  }
  const width = 20 + 2 * BOX.width + GAP;
  const hidden = left.length + right.length - shownLeft.length - shownRight.length;
  return [
    s(
      'svg',
      {
        class: 'topology',
        viewBox: `0 0 ${width} ${height}`,
        role: 'img',
        'aria-label': `Exchanges and queues of ${vhost}`,
      },
      lines.map((line) => drawLine(line, place)),
      shownLeft.map((each) =>
        box('exchange', vhost, each.name, each.type, place.get(`exchange ${each.name}`)),
      ),
      shownRight.map((each) =>
        box(
          'queue',
          vhost,
          each.name,
          `${many(each.messages, 'message')}, ${many(each.consumers, 'consumer')}`,
          place.get(`queue ${each.name}`),
        ),
      ),
    ),
    hidden > 0
      ? h(
          'p',
          { class: 'quiet small' },
          `${count(hidden)} more are not drawn: the lists have them all.`,
        )
      : null,
  ];
}

function drawLine({ source, destination, destination_type: type, routing_key: key }, place) {
  const from = place.get(`exchange ${source}`);
  const to = place.get(`${type} ${destination}`);
  if (from === undefined || to === undefined) return null;
  const x1 = from.x + BOX.width;
  const y1 = from.y + BOX.height / 2;
  const y2 = to.y + BOX.height / 2;
  // From exchange to exchange a line goes out and comes back on the same side.
  const path =
    type === 'exchange'
      ? `M${x1} ${y1} C${x1 + 90} ${y1}, ${x1 + 90} ${y2}, ${x1} ${y2}`
      : `M${x1} ${y1} C${x1 + GAP / 2} ${y1}, ${to.x - GAP / 2} ${y2}, ${to.x} ${y2}`;
  return s(
    'path',
    { d: path },
    s('title', null, `${source} → ${destination}: ${key === '' ? '(empty key)' : key}`),
  );
}

function box(kind, vhost, name, sub, { x, y }) {
  const text = name.length > 34 ? `${name.slice(0, 32)}…` : name;
  return s(
    'a',
    { href: `#${pathOf(kind, vhost, name)}`, class: kind },
    s('rect', { x, y, width: BOX.width, height: BOX.height }),
    s('text', { x: x + 10, y: y + 15 }, text),
    s('text', { x: x + 10, y: y + 28, class: 'sub' }, sub),
    s('title', null, name),
  );
}
