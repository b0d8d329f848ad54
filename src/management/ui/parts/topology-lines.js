// Owns the lines of the picture of a vhost: bindings, dead letters and alternate exchanges. Never decides where boxes stand.

import { s } from '../dom.js';

/** @typedef {{ x: number, y: number }} Spot */
/** @typedef {{ width: number, height: number }} Size */

/** A longer key is cut in the picture; its title has all of it. */
const KEY_CHARS = 24;
/** How far a line bends out that begins and ends on the same side. */
const BEND = 70;

/**
 * Where messages go beside bindings: from a queue to its dead-letter exchange, from an exchange to its alternate, whether
 * arguments say so or a policy.
 * @param {any[]} exchanges
 * @param {any[]} queues
 */
export function otherWays(exchanges, queues) {
  const ways = [];
  for (const queue of queues) {
    const to = said(queue, 'x-dead-letter-exchange', 'dead-letter-exchange');
    if (typeof to !== 'string') continue;
    const key = said(queue, 'x-dead-letter-routing-key', 'dead-letter-routing-key');
    const from = { kind: 'queue', name: queue.name };
    // The default exchange leads to the queue of that name at once.
    if (to !== '') ways.push({ what: 'dead', from, to: { kind: 'exchange', name: to }, key });
    else {
      const name = typeof key === 'string' ? key : queue.name;
      ways.push({ what: 'dead', from, to: { kind: 'queue', name }, key });
    }
  }
  for (const exchange of exchanges) {
    const to = said(exchange, 'alternate-exchange', 'alternate-exchange');
    if (typeof to !== 'string') continue;
    const from = { kind: 'exchange', name: exchange.name };
    ways.push({ what: 'alternate', from, to: { kind: 'exchange', name: to }, key: null });
  }
  return ways;
}

/**
 * What an argument says, or else a policy.
 * @param {any} row
 * @param {string} argument
 * @param {string} key
 */
const said = (row, argument, key) =>
  row.arguments?.[argument] ?? row.effective_policy_definition?.[key];

/**
 * The line of a binding. A queue is reached at its left edge, an exchange at its right one: there a line goes out and comes
 * back on the same side. `share` says at which part of its height the destination is reached.
 * @param {any} binding
 * @param {Spot} from
 * @param {Spot} to
 * @param {Size} box
 * @param {number} share
 * @param {boolean} named
 */
export function bindingLine(binding, from, to, box, share, named) {
  const { source, destination, destination_type: type, routing_key: key } = binding;
  const x1 = from.x + box.width;
  const y1 = from.y + box.height / 2;
  const title = `${source} → ${destination}: ${key === '' ? '(empty key)' : key}`;
  if (type === 'exchange') {
    const y2 = to.y + box.height * (from.y < to.y ? 0.2 : 0.8);
    const label = { text: key, x: x1 + BEND * 0.8, y: (y1 + y2) / 2 + 3, anchor: 'start' };
    return drawn('binding', bend(x1, y1, y2, 1), [x1, y2, -1], title, named ? label : null);
  }
  const y2 = to.y + box.height * share;
  const half = (to.x - x1) / 2;
  const path = `M${x1} ${y1} C${x1 + half} ${y1}, ${to.x - half} ${y2}, ${to.x - 7} ${y2}`;
  const label = { text: key, x: to.x - 14, y: y2 + (y1 < y2 ? 12 : -5), anchor: 'end' };
  return drawn('binding', path, [to.x, y2, 1], title, named ? label : null);
}

/**
 * The line of another way: of dead letters or to an alternate exchange.
 * @param {ReturnType<typeof otherWays>[number]} way
 * @param {Spot} from
 * @param {Spot} to
 * @param {Size} box
 */
export function otherLine({ what, from: source, to: target, key }, from, to, box) {
  const name = `${source.name} → ${target.name}`;
  if (what === 'alternate') {
    const [y1, y2] = [from.y + box.height * 0.35, to.y + box.height * 0.65];
    const title = `${name}: what no binding of ${source.name} takes (alternate exchange)`;
    return drawn('alternate', bend(from.x, y1, y2, -1), [from.x, y2, 1], title, null);
  }
  const with_ = typeof key === 'string' ? ` with the key ${key}` : '';
  const title = `${name}: dead letters${with_}`;
  if (target.kind === 'queue') {
    const x = from.x + box.width;
    const [y1, y2] = [from.y + box.height * 0.35, to.y + box.height * 0.65];
    return drawn('dead', bend(x, y1, y2, 1), [x, y2, -1], title, null);
  }
  const [x1, y1] = [from.x, from.y + box.height * 0.85];
  const [x2, y2] = [to.x + box.width, to.y + box.height * 0.75];
  const half = (x1 - x2) / 2;
  const path = `M${x1} ${y1} C${x1 - half} ${y1}, ${x2 + half} ${y2}, ${x2 + 7} ${y2}`;
  return drawn('dead', path, [x2, y2, -1], title, null);
}

/**
 * A line that begins and ends on one side: to the right (1) or to the left (-1).
 * @param {number} x
 * @param {number} y1
 * @param {number} y2
 * @param {1 | -1} side
 */
function bend(x, y1, y2, side) {
  const out = x + side * BEND;
  return `M${x} ${y1} C${out} ${y1}, ${out} ${y2}, ${x + side * 7} ${y2}`;
}

/**
 * A path with its tip at x and y, which points to the right (1) or to the left (-1).
 * @param {string} kind
 * @param {string} path
 * @param {number[]} tip
 * @param {string} title
 * @param {{ text: string, x: number, y: number, anchor: string } | null} label
 */
function drawn(kind, path, [x = 0, y = 0, way = 1], title, label) {
  return s(
    'g',
    { class: kind },
    s('path', { d: path }),
    s('polygon', { points: `${x},${y} ${x - way * 8},${y - 4} ${x - way * 8},${y + 4}` }),
    label !== null && label.text !== ''
      ? s(
          'text',
          { x: label.x, y: label.y, class: 'key', 'text-anchor': label.anchor },
          label.text.length > KEY_CHARS ? `${label.text.slice(0, KEY_CHARS - 1)}…` : label.text,
        )
      : null,
    s('title', null, title),
  );
}
