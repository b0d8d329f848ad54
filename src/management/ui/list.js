// Owns lists that the broker filters, sorts and cuts into pages, so that there may be any number of rows;
// what the reader chose stands in the address. Never knows what the rows are.

import { readAddress, writeAddress } from './address.js';
import { ApiError, get } from './api.js';
import { columnMenu, shownColumns } from './columns.js';
import { count, h, messageOf, replace } from './dom.js';
import { chosenVhost } from './frame/vhost.js';
import { update } from './morph.js';
import { selection } from './selection.js';
import { table } from './table.js';

const PAGE_SIZE = 50;
/** So many rows may be selected at once: what the API gives in one page. */
const SELECTED_MAX = 500;
/** A filter is asked for once typing has paused. */
const PAUSE_MS = 200;

/** @import { Column } from './table.js' */

/** @import { Query } from './address.js' */
/** @import { BulkAction } from './selection.js' */

/**
 * An event of an input.
 * @typedef {Event & { target: HTMLInputElement }} InputOf
 */

/**
 * What the API answers with a page of a list.
 * @typedef {{ page: number, page_count: number, filtered_count: number, total_count: number }} Page
 */

/**
 * A list: `path` of the API, `pathIn` for what is in one vhost, `caption`, `empty`, `columns` and `key` of its table,
 * `sort` that it begins with, `actions` for rows that are selected, and a `prefix` for its part of the address where a
 * page has several.
 * @template R
 * @param {object} given
 * @param {string} given.path
 * @param {(vhost: string) => string} given.pathIn
 * @param {string} given.caption
 * @param {string} given.empty
 * @param {Column<R>[]} given.columns
 * @param {(row: R) => string} given.key
 * @param {string} given.sort
 * @param {string} [given.prefix]
 * @param {BulkAction<R>[]} [given.actions]
 */
export function list({
  path,
  pathIn,
  caption,
  empty,
  columns,
  key,
  sort,
  prefix = '',
  actions = [],
}) {
  /** @type {Query} */
  const query = { page: 1, name: '', regex: false, sort, reverse: false };
  readAddress(query, prefix);
  const vhost = chosenVhost();
  const base = vhost === '' ? path : pathIn(vhost);
  const picked =
    actions.length === 0
      ? null
      : selection({
          key,
          name: (/** @type {any} */ row) => row.name,
          actions,
          all: async () => (await get(pathOf(base, { ...query, page: 1 }, SELECTED_MAX))).items,
          after: () => refresh(),
        });
  const grid = h('div', { class: 'card flat' });
  /** @type {ReturnType<typeof table<R>>} */
  let rows;
  /** @type {R[]} */
  let items = [];
  /** @type {Column<R>[]} */
  let shown = [];
  const build = () => {
    shown = shownColumns(caption, columns, items);
    rows = table({
      caption,
      empty,
      key,
      columns: picked === null ? shown : [picked.column, ...shown],
      sorted: { by: query.sort, reverse: query.reverse },
      onSort: (by, reverse) => change({ sort: by, reverse }),
    });
    replace(grid, rows.element);
  };
  const error = h('p', { class: 'error', role: 'alert', hidden: true });
  const pager = h('div', { class: 'bar pager' });
  let turn = 0;
  const tell = (/** @type {string} */ text) => {
    error.textContent = text;
    error.hidden = false;
  };
  const refresh = async () => {
    turn += 1;
    const mine = turn;
    try {
      const answer = await get(pathOf(base, query));
      // An answer that comes late is not to replace one that was asked for later.
      if (mine !== turn) return;
      error.hidden = true;
      items = answer.items;
      if (shownColumns(caption, columns, items).length !== shown.length) build();
      rows.show(answer.items, query.name === '' ? empty : 'No name matches.');
      picked?.shown(answer.items, answer.filtered_count);
      drawPager(pager, answer, (page) => change({ page }));
    } catch (failure) {
      if (mine !== turn) return;
      if (failure instanceof ApiError && failure.status === 404 && vhost !== '') {
        rows.show([], 'Nothing can be shown.');
        tell(`There is no vhost "${vhost}". Choose another one at the top of the page.`);
        return;
      }
      if (!(failure instanceof ApiError) || failure.status !== 400) throw failure;
      if (query.page > 1) {
        // The page has gone, with the rows that made it one.
        change({ page: 1 });
        return;
      }
      tell(failure.message);
    }
  };
  const change = (/** @type {Partial<Query>} */ what) => {
    Object.assign(query, { page: 1 }, what);
    writeAddress(query, prefix, sort);
    again();
  };
  const again = () => void refresh().catch((failure) => tell(messageOf(failure)));
  build();
  const menu = columnMenu(caption, columns, () => {
    build();
    again();
  });
  const bar = filterBar(query, caption, change, menu);
  return {
    element: h('div', null, bar, error, picked?.bar, grid, pager),
    refresh,
  };
}

/**
 * @param {Query} query
 * @param {string} caption
 * @param {(what: Partial<Query>) => void} change
 * @param {Element} menu
 */
function filterBar(query, caption, change, menu) {
  let pause = 0;
  const oninput = (/** @type {InputOf} */ event) => {
    clearTimeout(pause);
    const name = event.target.value;
    pause = setTimeout(() => change({ name }), PAUSE_MS);
  };
  const what = `Filter ${caption.toLowerCase()} by name`;
  const regex = h('input', {
    type: 'checkbox',
    checked: query.regex,
    onchange: (/** @type {InputOf} */ event) => change({ regex: event.target.checked }),
  });
  return h(
    'div',
    { class: 'bar', role: 'search' },
    h('input', {
      type: 'search',
      class: 'grow',
      placeholder: 'Filter by name',
      'aria-label': what,
      value: query.name,
      oninput,
    }),
    h('label', { class: 'small' }, regex, ' regular expression'),
    menu,
  );
}

/**
 * @param {string} path
 * @param {Query} query
 */
function pathOf(path, { page, name, regex, sort, reverse }, size = PAGE_SIZE) {
  const text = new URLSearchParams({
    page: String(page),
    page_size: String(size),
    sort,
    sort_reverse: String(reverse),
    ...(name === '' ? {} : { name, use_regex: String(regex) }),
  });
  return `${path}?${text}`;
}

/**
 * @param {Element} bar
 * @param {Page} page
 * @param {(page: number) => void} go
 */
function drawPager(bar, { page, page_count: pages, filtered_count: found, total_count: all }, go) {
  const what = found === all ? `${count(all)} in all` : `${count(found)} of ${count(all)}`;
  const turner = (/** @type {string} */ text, /** @type {number} */ to) =>
    h('button', { type: 'button', disabled: to < 1 || to > pages, onclick: () => go(to) }, text);
  update(
    bar,
    h(
      'span',
      { class: 'quiet small grow' },
      `${what}${pages > 1 ? `, page ${page} of ${pages}` : ''}`,
    ),
    pages > 1 ? [turner('Previous', page - 1), turner('Next', page + 1)] : null,
  );
}
