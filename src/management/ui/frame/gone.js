// Owns the pages about what is not there: deleted, closed or mistyped. They hold nothing that acts.

import { ApiError, at, get } from '../api.js';
import { h, link, moment } from '../dom.js';

/**
 * A thing that a page is about, and where the API has it.
 * @typedef {object} Thing
 * @property {string} kind such as `queue`
 * @property {string} name
 * @property {string} [vhost] where it is, if it is in one
 * @property {string} path
 * @property {string} list the page of all of its kind
 */

/**
 * What links to pages say that are no list of one kind.
 * @type {Record<string, string>}
 */
const PLACES = { topology: 'Go to the topology', access: 'Go to all users and vhosts' };

/**
 * Whether the broker says that it has no such thing.
 * @param {string} path
 */
export async function isGone(path) {
  try {
    await get(path);
    return false;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return true;
    throw error;
  }
}

/**
 * The page in place of that of a thing which is not there.
 * @param {Thing} thing
 */
export async function gonePage({ kind, name, vhost, list }) {
  const noVhost = vhost !== undefined && (await isGone(at`/vhosts/${vhost}`).catch(() => false));
  const closed = kind === 'connection' || kind === 'channel';
  const end = closed ? await endOf(kind, name).catch(() => null) : null;
  const where = vhost === undefined ? '' : ` in the vhost "${vhost}"`;
  const what = noVhost
    ? `There is no vhost "${vhost}", and so no ${kind} "${name}" in it.`
    : `There is no ${kind} "${name}"${where}.`;
  return h(
    'div',
    null,
    h('div', { class: 'head' }, h('h1', null, closed ? `This ${kind} is closed` : 'Not found')),
    h(
      'section',
      { class: 'card' },
      h('p', { role: 'alert' }, what),
      end ??
        h(
          'p',
          { class: 'quiet' },
          closed
            ? 'It has closed, or the address is mistyped.'
            : 'It has been deleted, or the address is mistyped. If it is declared again, this page shows it.',
        ),
      h('p', null, link(`/${list}`, PLACES[list] ?? `Go to all ${list}`)),
    ),
  );
}

/**
 * How a connection or a channel ended, if the broker still knows.
 * @param {string} kind
 * @param {string} name
 */
async function endOf(kind, name) {
  const { closed } = await get('/closed');
  const found = closed.find(
    (row) =>
      (row.kind === 'connection' &&
        (row.connection === name || name.startsWith(`${row.connection} (`))) ||
      (kind === 'channel' && `${row.connection} (${row.channel})` === name),
  );
  if (found === undefined) return null;
  const why = found.text === '' ? 'normally' : `with: ${found.text}`;
  return [
    h('p', null, `Closed ${moment(found.time)} by the ${found.by}, ${why}`),
    found.advice ? h('p', { class: 'quiet' }, found.advice) : null,
  ];
}

/** The page in place of one that there is none of. */
export function unknownPage() {
  return h(
    'div',
    null,
    h('div', { class: 'head' }, h('h1', null, 'No such page')),
    h(
      'section',
      { class: 'card' },
      h('p', { role: 'alert' }, `There is no page at "${location.hash}".`),
      h('p', null, link('/', 'Go to the overview')),
    ),
  );
}
