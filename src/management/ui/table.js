// Owns tables: a head that sorts, rows that are replaced, and a word when there are none.

import { h } from './dom.js';
import { update } from './morph.js';

/**
 * A table. A column has `title`, `cell(row)`, and may have `num` and `sort`, which is what the API calls
 * it. `onSort(sort, reverse)` is told what the reader chose, `sorted` is what it begins with, and
 * `key(row)` tells rows apart: a row that moves takes the reader's focus along.
 */
export function table({ columns, empty, caption, key = () => null, onSort = null, sorted = null }) {
  const body = h('tbody');
  const none = h('div', { class: 'empty' }, empty);
  let order = sorted ?? { by: null, reverse: false };
  const heads = columns.map((column) => {
    const inner =
      onSort !== null && column.sort
        ? h('button', { type: 'button', onclick: () => sortBy(column.sort) }, column.title)
        : column.title;
    return h('th', { class: classOf(column), scope: 'col' }, inner);
  });
  const sortBy = (by) => {
    order = { by, reverse: order.by === by ? !order.reverse : false };
    mark();
    onSort(order.by, order.reverse);
  };
  const mark = () => {
    for (const [i, column] of columns.entries()) {
      if (column.sort !== undefined && column.sort === order.by) {
        heads[i].setAttribute('aria-sort', order.reverse ? 'descending' : 'ascending');
      } else heads[i].removeAttribute('aria-sort');
    }
  };
  if (onSort !== null) mark();
  const grid = h('table', { 'aria-label': caption }, h('thead', null, h('tr', null, heads)), body);
  return {
    element: h('div', { class: 'scroll' }, grid, none),
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
            columns.map((column) => h('td', { class: classOf(column) }, column.cell(row))),
          ),
        ),
      );
    },
  };
}

/** `num` and `name` say how a column is set, `wide` that a phone has no place for it. */
function classOf({ num, name, wide }) {
  return [num ? 'num' : null, name ? 'name' : null, wide ? 'wide' : null].filter(Boolean).join(' ');
}
