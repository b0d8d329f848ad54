// Owns charts over time. Never asks the broker for anything: views give it values.

import { count, h } from './dom.js';
// @ts-expect-error: the server has this file beside the pages; what checks them knows the package alone.
import drawer from './vendor/uPlot.esm.js';

/** @type {typeof import('uplot')} */
const uPlot = drawer;

/** Points kept: ten minutes at one each two seconds. */
const POINTS = 300;
/** A chart begins as wide as this: a line that starts small at its end, not one point stretched. */
const SPAN_MIN_S = 30;
/** What lines of the grid may be apart: whole numbers, of messages too. */
const STEPS = Array.from({ length: 12 }, (_, i) => [1, 2, 5].map((n) => n * 10 ** i)).flat();

/** @param {string} name */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/**
 * A time of day, given in seconds, as the reader's place writes it.
 * @param {number} at
 */
const timeOf = (at) => new Date(at * 1000).toLocaleTimeString();

/**
 * What a chart spans, up to its last point; the library would let a single point stand for years.
 * @param {number} first
 * @param {number} last
 * @returns {[number, number]}
 */
const reach = (first, last) => [Math.min(first, last - SPAN_MIN_S), last];

/**
 * A chart with a line for each label; `add(values)` puts a point at its end, `set(times, lines)` draws others instead.
 * @param {string} title
 * @param {string[]} labels
 */
export function chart(title, labels, format = count) {
  const holder = h('div', { class: 'chart', role: 'img', 'aria-label': title });
  /** @type {number[]} */
  const moments = [];
  /** @type {(number | null)[][]} */
  const lines = labels.map(() => []);
  /** @type {import('uplot').AlignedData} */
  const data = [moments, ...lines];
  /** @type {import('uplot') | null} */
  let plot = null;
  const make = () => {
    const axis = {
      stroke: colour('--quiet'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
      font: '12px system-ui',
    };
    return new uPlot(
      {
        width: Math.max(260, holder.clientWidth),
        height: 190,
        // The last time of day stands half beyond the last line of the grid.
        padding: [10, 40, 0, 0],
        cursor: { drag: { x: false, y: false } },
        legend: { live: true },
        scales: {
          x: { range: (u, min, max) => reach(min, u.data[0].at(-1) ?? max) },
          y: { range: (_u, _min, max) => [0, Math.max(5, (max ?? 0) * 1.1)] },
        },
        axes: [
          { ...axis, size: 28, space: 90, values: (_u, values) => values.map(timeOf) },
          {
            ...axis,
            size: 64,
            incrs: STEPS,
            values: (_u, values) => values.map((each) => format(each)),
          },
        ],
        series: [
          { label: 'at', value: (_u, at) => (at ? timeOf(at) : '–') },
          ...labels.map((label, i) => ({
            label,
            stroke: colour(`--c${i + 1}`),
            width: 1.8,
            points: { show: false },
            value: (_u, value) => (value === null || value === undefined ? '–' : format(value)),
          })),
        ],
      },
      data,
      holder,
    );
  };
  const redraw = () => {
    plot?.destroy();
    plot = null;
    if (holder.isConnected) plot = make();
  };
  const show = () => {
    if (!holder.isConnected) return;
    if (plot === null) plot = make();
    else plot.setData(data);
    // What is new is drawn before the next frame, and that empties the legend.
    requestAnimationFrame(tellLast);
  };
  const tellLast = () => {
    // Where no pointer is, the legend tells the last values.
    if (plot === null || (plot.cursor.idx !== null && plot.cursor.idx !== undefined)) return;
    plot.setLegend({ idx: moments.length - 1 });
  };
  const onresize = () => plot?.setSize({ width: Math.max(260, holder.clientWidth), height: 190 });
  window.addEventListener('resize', onresize);
  window.addEventListener('leveret-theme', redraw);
  return {
    element: h('section', { class: 'card' }, h('h2', null, title), holder),
    /** @param {(number | null | undefined)[]} values */
    add(values) {
      moments.push(Date.now() / 1000);
      for (const [i, value] of values.entries()) lines[i]?.push(value ?? null);
      if (moments.length > POINTS) for (const line of [moments, ...lines]) line.shift();
      show();
    },
    /**
     * @param {number[]} times seconds since 1970, the oldest first
     * @param {(number | null)[][]} values of each line, one for each time
     */
    set(times, values) {
      moments.splice(0, moments.length, ...times);
      for (const [i, line] of lines.entries()) line.splice(0, line.length, ...(values[i] ?? []));
      show();
    },
    dispose() {
      window.removeEventListener('resize', onresize);
      window.removeEventListener('leveret-theme', redraw);
      plot?.destroy();
    },
  };
}

/** Turns counts that grow into rates: how fast each grew since the last call. */
export class Speed {
  constructor() {
    /** @type {{ at: number, counts: number[] } | null} */
    this.before = null;
  }

  /** @param {number[]} counts */
  of(counts) {
    const at = performance.now();
    const { before } = this;
    this.before = { at, counts };
    if (before === null) return counts.map(() => null);
    const seconds = (at - before.at) / 1000;
    return counts.map((value, i) => Math.max(0, (value - before.counts[i]) / seconds));
  }
}
