// Owns the dialog that does something with many things: what will happen to each, then what became of each. Never knows
// what they are.

import { h, messageOf, replace } from '../dom.js';

/** So many requests are under way at a time. */
const AT_ONCE = 4;

/**
 * One of many: what it is called, what will happen to it, and what does it; that resolves with a word of what was done.
 * @typedef {{ name: string, about: string, act: () => Promise<string> }} Item
 */

/**
 * Asks before it does something with many things, and shows what became of each. Resolves when the dialog is closed, with
 * whether it was begun.
 * @param {object} given
 * @param {string} given.title
 * @param {string} given.about
 * @param {string} given.action
 * @param {boolean} [given.danger]
 * @param {Item[]} given.items
 * @returns {Promise<boolean>}
 */
export function doMany({ title, about, action, danger = false, items }) {
  const rows = items.map((item) => {
    const state = h('span', { class: 'quiet' }, item.about);
    return { item, state, element: h('li', null, h('b', null, item.name), ' ', state) };
  });
  const summary = h('p', { role: 'status' }, about);
  const close = h('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel');
  const send = h('button', { class: danger ? 'danger' : 'main', type: 'submit' }, action);
  let begun = false;
  let stopped = false;
  let failed = 0;
  let done = 0;
  const work = async (/** @type {typeof rows} */ waiting) => {
    for (let row = waiting.shift(); row !== undefined && !stopped; row = waiting.shift()) {
      try {
        replace(row.state, `✓ ${await row.item.act()}`);
      } catch (error) {
        failed += 1;
        row.state.className = 'wrong';
        replace(row.state, `✗ ${messageOf(error)}`);
      }
      done += 1;
      replace(summary, `${done} of ${items.length} …`);
    }
  };
  const onsubmit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    begun = true;
    send.hidden = true;
    replace(close, 'Stop');
    const waiting = [...rows];
    await Promise.all(Array.from({ length: AT_ONCE }, () => work(waiting)));
    replace(close, 'Close');
    const rest = items.length - done;
    replace(
      summary,
      `${done - failed} done, ${failed} failed${rest > 0 ? `, ${rest} not begun` : ''}.`,
    );
  };
  const dialog = h(
    'dialog',
    { 'aria-label': title },
    h(
      'form',
      { onsubmit },
      h('h2', null, title),
      summary,
      h(
        'ul',
        { class: 'many', tabindex: '0' },
        rows.map(({ element }) => element),
      ),
      h('div', { class: 'actions' }, close, send),
    ),
  );
  document.body.append(dialog);
  const closed = new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      stopped = true;
      dialog.remove();
      resolve(begun);
    });
  });
  dialog.showModal();
  return closed;
}
