// Owns what pages of things that are added and deleted have in common.

import { call } from '../api.js';
import { ask } from '../dialog.js';
import { h } from '../dom.js';

/** @import { Child } from '../dom.js' */

/**
 * @param {Child} text
 * @param {(event: Event) => unknown} act
 * @param {string | null} [kind]
 */
export const button = (text, act, kind = null) =>
  h('button', { type: 'button', class: kind, onclick: act }, text);

/**
 * The page of a list, with what adds a row to it.
 * @param {string} title
 * @param {{ element: Element, refresh: () => Promise<void> }} rows
 * @param {string} adds
 * @param {(refresh: () => Promise<void>) => unknown} add
 */
export function listPage(title, { element, refresh }, adds, add) {
  return {
    element: h(
      'div',
      null,
      h(
        'div',
        { class: 'head' },
        h('h1', null, title),
        button(adds, () => add(refresh), 'main'),
      ),
      element,
    ),
    refresh,
  };
}

/**
 * A table under its title, with what adds a row to it.
 * @param {Child} title
 * @param {{ element: Element }} rows
 * @param {Child} add
 */
export function section(title, rows, add) {
  return h(
    'section',
    { class: 'card flat' },
    h('div', { class: 'bar' }, h('h2', { class: 'grow' }, title), add),
    rows.element,
  );
}

/**
 * A button that deletes something after a question.
 * @param {string} what
 * @param {string} path
 * @param {() => unknown} refresh
 */
export function remover(what, path, refresh, about = 'This cannot be undone.') {
  const act = async () => {
    await call('DELETE', path);
    await refresh();
    return `Deleted ${what}`;
  };
  return button('Delete', () => ask(`Delete ${what}?`, about, 'Delete', act), 'danger');
}
