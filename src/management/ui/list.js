// Owns lists that the broker filters, sorts and cuts into pages, so that there may be any number of rows;
// what the reader chose stands in the address. Never knows what the rows are.

import { get } from './api.js';
import { count, h } from './dom.js';
import { update } from './morph.js';
import { table } from './table.js';

const PAGE_SIZE = 50;
/** A filter is asked for once typing has paused. */
const PAUSE_MS = 200;

/**
 * A list: `path` of the API, `caption`, `empty`, `columns` and `key` of its table, `sort` that it begins
 * with, `vhosts` to choose from, and a `prefix` for its part of the address where a page has several.
 */
export function list({ path, caption, empty, columns, key, sort, vhosts = [], prefix = '' }) {
  const query = { page: 1, name: '', regex: false, sort, reverse: false, vhost: '' };
  readAddress(query, prefix);
  const rows = table({
    caption,
    empty,
    key,
    columns,
    sorted: { by: query.sort, reverse: query.reverse },
    onSort: (by, reverse) => change({ sort: by, reverse }),
  });
  const error = h('p', { class: 'error', role: 'alert', hidden: true });
  const pager = h('div', { class: 'bar pager' });
  let turn = 0;
  const refresh = async () => {
    turn += 1;
    const mine = turn;
    try {
      const answer = await get(pathOf(path, query));
      // An answer that comes late is not to replace one that was asked for later.
      if (mine !== turn) return;
      error.hidden = true;
      rows.show(answer.items, query.name === '' ? empty : 'Nothing has such a name.');
      drawPager(pager, answer, (page) => change({ page }));
    } catch (failure) {
      if (mine !== turn) return;
      if (failure.status !== 400) throw failure;
      if (query.page > 1) {
        // The page has gone, with the rows that made it one.
        change({ page: 1 });
        return;
      }
      error.textContent = failure.message;
      error.hidden = false;
    }
  };
  const change = (what) => {
    Object.assign(query, { page: 1 }, what);
    writeAddress(query, prefix, sort);
    refresh().catch((failure) => {
      error.textContent = failure.message;
      error.hidden = false;
    });
  };
  const bar = filterBar(query, caption, vhosts, change);
  return {
    element: h('div', null, bar, error, h('div', { class: 'card flat' }, rows.element), pager),
    refresh,
  };
}

function filterBar(query, caption, vhosts, change) {
  let pause = 0;
  const oninput = (event) => {
    clearTimeout(pause);
    const name = event.target.value;
    pause = setTimeout(() => change({ name }), PAUSE_MS);
  };
  const what = `Filter ${caption.toLowerCase()} by name`;
  const regex = h('input', {
    type: 'checkbox',
    checked: query.regex,
    onchange: (event) => change({ regex: event.target.checked }),
  });
  const vhost = h(
    'select',
    { 'aria-label': 'Vhost', onchange: (event) => change({ vhost: event.target.value }) },
    h('option', { value: '' }, 'all vhosts'),
    vhosts.map((name) => h('option', { value: name }, name)),
  );
  vhost.value = vhosts.includes(query.vhost) ? query.vhost : '';
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
    vhosts.length > 1 ? vhost : null,
    h('label', { class: 'small' }, regex, ' regular expression'),
  );
}

function pathOf(path, { page, name, regex, sort, reverse, vhost }) {
  const text = new URLSearchParams({
    page,
    page_size: PAGE_SIZE,
    sort,
    sort_reverse: reverse,
    ...(name === '' ? {} : { name, use_regex: regex }),
  });
  return `${path}${vhost === '' ? '' : `/${encodeURIComponent(vhost)}`}?${text}`;
}

function drawPager(bar, { page, page_count: pages, filtered_count: found, total_count: all }, go) {
  const what = found === all ? `${count(all)} in all` : `${count(found)} of ${count(all)}`;
  const turner = (text, to) =>
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

// --- the address: #/queues?name=x&page=2 ---

function addressed() {
  const [path, text = ''] = location.hash.split('?');
  return { path, params: new URLSearchParams(text) };
}

function readAddress(query, prefix) {
  const { params } = addressed();
  const at = (name) => params.get(`${prefix}${name}`);
  const page = Number(at('page'));
  if (Number.isInteger(page) && page > 0) query.page = page;
  query.name = at('name') ?? '';
  query.vhost = at('vhost') ?? '';
  query.sort = at('sort') ?? query.sort;
  query.regex = at('regex') === 'true';
  query.reverse = at('reverse') === 'true';
}

function writeAddress(query, prefix, sort) {
  const { path, params } = addressed();
  const usual = { page: 1, name: '', regex: false, sort, reverse: false, vhost: '' };
  for (const [name, value] of Object.entries(query)) {
    if (value === usual[name]) params.delete(`${prefix}${name}`);
    else params.set(`${prefix}${name}`, String(value));
  }
  const text = params.toString();
  // Going back leads to the page before, not through all that was typed.
  history.replaceState(null, '', `${path || '#/'}${text === '' ? '' : `?${text}`}`);
}
