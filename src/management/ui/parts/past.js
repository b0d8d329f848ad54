// Owns charts of the past, which the broker keeps: they are full at each visit. Never keeps a sample itself, but where the
// broker has none.

import { get } from '../api.js';
import { chart } from '../chart.js';
import { h, replace } from '../dom.js';

/** @import { Figure } from '../dom.js' */

const KEY = 'leveret.range';

/** How far back, in which steps, and how often it is asked for; seconds. */
const RANGES = [
  { name: '1 min', age: 60, step: 5, every: 4 },
  { name: '10 min', age: 600, step: 5, every: 4 },
  { name: '1 h', age: 3600, step: 30, every: 28 },
  { name: '24 h', age: 86_400, step: 300, every: 58 },
];

/**
 * A chart: `lines` names the fields of the API by their labels, such as `message_stats.publish`. `rates` are of counts that
 * grow, others are what there is.
 * @typedef {{ title: string, lines: Record<string, string>, rates: boolean, format?: (value: Figure) => string }} PastChart
 */

/**
 * Charts of the past of what `path` has. `columns` are the fields that they need.
 * @param {string} path
 * @param {string[]} columns
 * @param {PastChart[]} wanted
 */
export function pastCharts(path, columns, wanted) {
  const charts = wanted.map(({ title, lines, format }) => chart(title, Object.keys(lines), format));
  const note = h('span', { class: 'quiet small' });
  let range = RANGES.find(({ name }) => name === localStorage.getItem(KEY)) ?? RANGES[1];
  let asked = -Infinity;
  let turn = 0;
  const bar = h('div', { class: 'bar ranges', role: 'group', 'aria-label': 'How far back' });
  const draw = () =>
    replace(
      bar,
      RANGES.map((each) =>
        h(
          'button',
          {
            type: 'button',
            'aria-pressed': String(each === range),
            onclick: () => {
              range = each;
              localStorage.setItem(KEY, each.name);
              asked = -Infinity;
              draw();
              void refresh().catch(() => {});
            },
          },
          each.name,
        ),
      ),
      note,
    );
  const refresh = async () => {
    if (performance.now() - asked < range.every * 1000) return;
    asked = performance.now();
    turn += 1;
    const mine = turn;
    const { age, step } = range;
    const text = ['lengths', 'msg_rates']
      .map((kind) => `${kind}_age=${age}&${kind}_incr=${step}`)
      .join('&');
    const row = await get(`${path}?${text}&columns=${columns.join(',')}`);
    // Another range may have been chosen since.
    if (mine !== turn) return;
    let kept = true;
    for (const [i, one] of wanted.entries()) kept = show(charts[i], one, row, range) && kept;
    note.textContent = kept
      ? ''
      : 'The broker keeps no past of this one: the busiest have one. The charts begin with this visit.';
    // Without a past, each look is a point.
    if (!kept) asked = -Infinity;
  };
  draw();
  return {
    element: h(
      'div',
      null,
      bar,
      h(
        'div',
        { class: 'grid' },
        charts.map(({ element }) => element),
      ),
    ),
    refresh,
    dispose() {
      for (const each of charts) each.dispose();
    },
  };
}

/**
 * Draws what the broker says; returns whether it had a past.
 * @param {ReturnType<typeof chart>} on
 * @param {PastChart} of
 * @param {any} row
 * @param {{ step: number }} range
 */
function show(on, { lines, rates }, row, { step }) {
  const fields = Object.values(lines).map((path) => path.split('.'));
  const all = fields.map((path) => at(row, path, '_details')?.samples);
  const first = all.find((samples) => Array.isArray(samples));
  if (first === undefined || first.length === 0) {
    const now = (/** @type {string[]} */ path) =>
      (rates ? at(row, path, '_details')?.rate : at(row, path)) ?? 0;
    on.add(fields.map(now));
    // What has never moved has no fields at all.
    return first === undefined;
  }
  const times = first.map(({ timestamp }) => timestamp / 1000).reverse();
  const values = all.map((samples) => {
    const counts = times.map(() => 0);
    for (const [i, { sample }] of (samples ?? []).entries()) counts[counts.length - 1 - i] = sample;
    return counts;
  });
  if (!rates) {
    on.set(times, values);
    return true;
  }
  const grown = values.map((counts) =>
    counts.slice(1).map((count, i) => Math.max(0, count - (counts[i] ?? 0)) / step),
  );
  on.set(times.slice(1), grown);
  return true;
}

/**
 * The value of a field, which may be within others.
 * @param {any} row
 * @param {string[]} path
 */
function at(row, path, suffix = '') {
  return path.reduce(
    (value, name, i) => value?.[i === path.length - 1 ? `${name}${suffix}` : name],
    row,
  );
}
