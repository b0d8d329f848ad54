// Owns which columns of a list are shown: those that the reader chose, kept in this browser. Never draws a row.

import { h } from './dom.js';

/** @import { Column } from './table.js' */

const KEY = 'leveret.columns.';

/**
 * What was chosen, by the titles of columns.
 * @param {string} id
 * @returns {Record<string, boolean>}
 */
function chosen(id) {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY + id) ?? '{}');
    return typeof kept === 'object' && kept !== null ? kept : {};
  } catch {
    return {};
  }
}

/**
 * The columns of a list that are shown, where these are its rows. Those without a title, or named `name`, always are.
 * @template R
 * @param {string} id
 * @param {Column<R>[]} columns
 * @param {R[]} rows
 */
export function shownColumns(id, columns, rows) {
  const kept = chosen(id);
  const hidden = (/** @type {Column<R>} */ { off, when }) =>
    off === true || (when !== undefined && !rows.some(when));
  return columns.filter((column) => !choosable(column) || (kept[column.title] ?? !hidden(column)));
}

/** @param {Column<any>} column */
const choosable = ({ title, fixed }) => title !== '' && fixed !== true;

/**
 * What lets the reader choose, and calls `act` when that was done.
 * @template R
 * @param {string} id
 * @param {Column<R>[]} columns
 * @param {() => void} act
 */
export function columnMenu(id, columns, act) {
  const kept = chosen(id);
  const box = (/** @type {Column<R>} */ column) => {
    const onchange = (/** @type {Event & { target: HTMLInputElement }} */ event) => {
      const now = { ...chosen(id), [column.title]: event.target.checked };
      localStorage.setItem(KEY + id, JSON.stringify(now));
      act();
    };
    return h(
      'label',
      null,
      h('input', { type: 'checkbox', checked: kept[column.title] ?? !column.off, onchange }),
      ' ',
      column.title,
    );
  };
  return h(
    'details',
    { class: 'columns' },
    h('summary', null, 'Columns'),
    h('div', { class: 'menu' }, columns.filter(choosable).map(box)),
  );
}
