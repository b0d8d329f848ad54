// Owns tables: a head that sorts, rows that are replaced, and a word when there are none.

import { h, replace } from './dom.js';

/**
 * A table. A column has `title`, `cell(row)`, and may have `num` and `sort`, which is what the API calls
 * it. `onSort(sort, reverse)` is told what the reader chose.
 */
export function table({ columns, empty, onSort = null, caption }) {
  const body = h('tbody');
  const none = h('div', { class: 'empty' }, empty);
  let sorted = { by: null, reverse: false };
  const heads = columns.map((column) => {
    const inner =
      onSort !== null && column.sort
        ? h('button', { type: 'button', onclick: () => sortBy(column.sort) }, column.title)
        : column.title;
    return h('th', { class: classOf(column), scope: 'col' }, inner);
  });
  const sortBy = (by) => {
    sorted = { by, reverse: sorted.by === by ? !sorted.reverse : false };
    for (const [i, column] of columns.entries()) {
      if (column.sort === by) {
        heads[i].setAttribute('aria-sort', sorted.reverse ? 'descending' : 'ascending');
      } else heads[i].removeAttribute('aria-sort');
    }
    onSort(sorted.by, sorted.reverse);
  };
  const element = h(
    'div',
    { class: 'scroll' },
    h('table', { 'aria-label': caption }, h('thead', null, h('tr', null, heads)), body),
    none,
  );
  return {
    element,
    show(rows) {
      none.hidden = rows.length > 0;
      replace(
        body,
        rows.map((row) =>
          h(
            'tr',
            null,
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
