// Owns what a list keeps in the address, for the way back and for bookmarks: #/queues?name=x&page=2. Never asks for rows.

/**
 * What the reader asks for.
 * @typedef {object} Query
 * @property {number} page
 * @property {string} name
 * @property {boolean} regex
 * @property {string} sort
 * @property {boolean} reverse
 */

function addressed() {
  const [path = '', text = ''] = location.hash.split('?');
  return { path, params: new URLSearchParams(text) };
}

/**
 * Reads what stands in the address; a list may have a prefix there, where a page has several.
 * @param {Query} query
 * @param {string} prefix
 */
export function readAddress(query, prefix) {
  const { params } = addressed();
  const at = (/** @type {string} */ name) => params.get(`${prefix}${name}`);
  const page = Number(at('page'));
  if (Number.isInteger(page) && page > 0) query.page = page;
  query.name = at('name') ?? '';
  query.sort = at('sort') ?? query.sort;
  query.regex = at('regex') === 'true';
  query.reverse = at('reverse') === 'true';
}

/**
 * Writes it there, without what is so anyway.
 * @param {Query} query
 * @param {string} prefix
 * @param {string} sort what the list begins with
 */
export function writeAddress(query, prefix, sort) {
  const { path, params } = addressed();
  /** @type {Record<string, unknown>} */
  const usual = { page: 1, name: '', regex: false, sort, reverse: false };
  for (const [name, value] of Object.entries(query)) {
    if (value === usual[name]) params.delete(`${prefix}${name}`);
    else params.set(`${prefix}${name}`, String(value));
  }
  const text = params.toString();
  // Going back leads to the page before, not through all that was typed.
  history.replaceState(null, '', `${path || '#/'}${text === '' ? '' : `?${text}`}`);
}
