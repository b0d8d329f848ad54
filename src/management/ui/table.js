// Owns tables: a head that sorts, rows that are replaced, and a word when there are none.

import { h } from './dom.js';
import { update } from './morph.js';

/** @import { Child } from './dom.js' */

/**
 * @template R
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: R) => Child} cell
 * @property {string} [sort]
 * @property {boolean} [num]
 * @property {boolean} [name]
 * @property {boolean} [wide]
 * @property {boolean} [off] hidden until the reader chooses it
 * @property {(row: R) => boolean} [when] hidden as well while no row of the page has something there
 * @property {boolean} [fixed] always shown
 * @property {Element} [head] what stands in the head instead of the title
 */

/**
 * What a list is sorted by.
 * @typedef {{ by: string | null, reverse: boolean }} Order
 */

/**
 * A table. A column has `title`, `cell(row)`, and may have `num` and `sort`, which is what the API calls
 * it. `onSort(sort, reverse)` is told what the reader chose, `sorted` is what it begins with, and
 * `key(row)` tells rows apart: a row that moves takes the reader's focus along.
 * @template R
 * @param {object} given
 * @param {Column<R>[]} given.columns
 * @param {string} given.empty
 * @param {string} given.caption
 * @param {(row: R) => string | null} [given.key]
 * @param {((by: string, reverse: boolean) => void) | null} [given.onSort]
 * @param {Order | null} [given.sorted]
 * @param {boolean} [given.stack] whether a phone shows the cells of a row below each other
 */
export function table({
  columns,
  empty,
  caption,
  key = () => null,
  onSort = null,
  sorted = null,
  stack = false,
}) {
  const body = h('tbody');
  const none = h('div', { class: 'empty' }, empty);
  let order = sorted ?? { by: null, reverse: false };
  const heads = columns.map((column) => {
    const inner =
      onSort !== null && column.sort
        ? h('button', { type: 'button', onclick: () => sortBy(column.sort ?? '') }, column.title)
        : (column.head ?? column.title);
    return h('th', { class: classOf(column), scope: 'col' }, inner);
  });
  const sortBy = (/** @type {string} */ by) => {
    order = { by, reverse: order.by === by ? !order.reverse : false };
    mark();
    onSort?.(by, order.reverse);
  };
  const mark = () => {
    for (const [i, column] of columns.entries()) {
      if (column.sort !== undefined && column.sort === order.by) {
        heads[i].setAttribute('aria-sort', order.reverse ? 'descending' : 'ascending');
      } else heads[i].removeAttribute('aria-sort');
    }
  };
  if (onSort !== null) mark();
  const grid = h(
    'table',
    { 'aria-label': caption, class: stack ? 'stack' : null },
    h('thead', null, h('tr', null, heads)),
    body,
  );
  const frame = h('div', { class: 'scroll', role: 'region', 'aria-label': caption }, grid, none);
  // What scrolls sideways can be reached by the keyboard, too.
  const reach = () => {
    if (frame.scrollWidth > frame.clientWidth) frame.setAttribute('tabindex', '0');
    else frame.removeAttribute('tabindex');
  };
  return {
    element: frame,
    /** @param {R[]} rows */
    show(rows, word = empty) {
      grid.hidden = rows.length === 0;
      none.hidden = rows.length > 0;
      none.textContent = word;
      update(
        body,
        rows.map((row) =>
          h(
            'tr',
            { 'data-key': key(row) },
            columns.map((column) =>
              h(
                'td',
                { class: classOf(column), 'data-label': column.title || null },
                column.cell(row),
              ),
            ),
          ),
        ),
      );
      requestAnimationFrame(reach);
    },
  };
}

/**
 * `num` and `name` say how a column is set, `wide` that a phone has no place for it.
 * @param {{ num?: boolean, name?: boolean, wide?: boolean }} column
 */
function classOf({ num, name, wide }) {
  return [num ? 'num' : null, name ? 'name' : null, wide ? 'wide' : null].filter(Boolean).join(' ');
}
