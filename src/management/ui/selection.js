// Owns which rows of a list are selected, over all of its pages. Never acts on them: those that make the list do.

import { count, h } from './dom.js';
import { update } from './morph.js';

/**
 * What can be done with the rows that are selected.
 * @template R
 * @typedef {object} BulkAction
 * @property {string} label
 * @property {boolean} [danger]
 * @property {(rows: R[]) => Promise<boolean>} run resolves once the reader has seen what became of it, with whether
 *   anything was begun
 */

/**
 * A selection: `column` is the first one of the table, `bar` says how many are selected and what can be done.
 * @template R
 * @param {object} given
 * @param {(row: R) => string} given.key
 * @param {(row: R) => string} given.name
 * @param {BulkAction<R>[]} given.actions
 * @param {() => Promise<R[]>} given.all gives the rows that the filter matches, as many as may be selected at once
 * @param {() => unknown} given.after is called when something was done
 */
export function selection({ key, name, actions, all, after }) {
  /** @type {Map<string, R>} */
  const selected = new Map();
  /** @type {R[]} */
  let page = [];
  let found = 0;
  const bar = h('div', { class: 'bar selection', role: 'group', 'aria-label': 'Selection' });
  const everyone = h('input', {
    type: 'checkbox',
    'aria-label': 'Select all of this page',
    onchange: () => {
      for (const row of page) set(row, everyone.checked);
      draw();
    },
  });
  const set = (/** @type {R} */ row, /** @type {boolean} */ on) => {
    if (on) selected.set(key(row), row);
    else selected.delete(key(row));
  };
  const clear = () => {
    selected.clear();
    draw();
  };
  const run = async (/** @type {BulkAction<R>} */ action) => {
    const begun = await action.run([...selected.values()]);
    // After a Cancel the same rows are selected.
    if (!begun) return;
    clear();
    await after();
  };
  const selectAll = async () => {
    for (const row of await all()) selected.set(key(row), row);
    draw();
  };
  const button = (/** @type {string} */ text, /** @type {() => unknown} */ act, danger = false) =>
    h('button', { type: 'button', class: danger ? 'danger' : null, onclick: act }, text);
  const draw = () => {
    const here = page.filter((row) => selected.has(key(row))).length;
    everyone.checked = page.length > 0 && here === page.length;
    everyone.indeterminate = here > 0 && here < page.length;
    // Whether a box is checked is no attribute, which a refresh would bring up to date.
    for (const box of document.querySelectorAll('input[data-pick]')) {
      if (box instanceof HTMLInputElement) box.checked = selected.has(box.dataset['pick'] ?? '');
    }
    update(
      bar,
      selected.size === 0
        ? null
        : [
            h('b', null, `${count(selected.size)} selected`),
            actions.map((each) => button(each.label, () => run(each), each.danger)),
            found > page.length ? button(`Select all ${count(found)}`, selectAll) : null,
            button('Clear the selection', clear),
          ],
    );
  };
  return {
    bar,
    column: {
      title: '',
      head: everyone,
      fixed: true,
      cell: (/** @type {R} */ row) =>
        h('input', {
          type: 'checkbox',
          'aria-label': `Select ${name(row)}`,
          'data-pick': key(row),
          checked: selected.has(key(row)),
          onchange: (/** @type {Event & { target: HTMLInputElement }} */ event) => {
            set(row, event.target.checked);
            draw();
          },
        }),
    },
    /**
     * Told which rows are on the page now, and how many the filter matches.
     * @param {R[]} rows
     * @param {number} filtered
     */
    shown(rows, filtered) {
      page = rows;
      found = filtered;
      for (const row of rows) if (selected.has(key(row))) selected.set(key(row), row);
      draw();
    },
  };
}
