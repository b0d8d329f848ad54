// Owns dialogs: forms that send something, and questions before something is lost. Never makes a field: fields.js does.

import { h, messageOf, toast } from './dom.js';
import { FieldError, widgetOf } from './fields.js';

/** @import { Child } from './dom.js' */
/** @import { Field } from './fields.js' */

/**
 * Opens a form of fields. `submit(values)` may reject: what it says is shown beside the field that it is about, or above
 * all, and the form stays. Resolves when the dialog is closed.
 * @param {object} given
 * @param {string} given.title
 * @param {Child} [given.about]
 * @param {Field[]} given.fields
 * @param {string} given.action
 * @param {boolean} [given.danger]
 * @param {(values: any) => unknown} given.submit
 * @returns {Promise<void>}
 */
export function form({ title, about, fields, action, danger = false, submit }) {
  const error = h('p', { class: 'error', role: 'alert', hidden: true });
  const widgets = fields.map((field) => widgetOf(field));
  const send = h('button', { class: danger ? 'danger' : 'main', type: 'submit' }, action);
  const cancel = h('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel');
  const tell = (/** @type {string} */ message) => {
    const beside = widgets.find((each) => each.claims(message));
    if (beside?.fail(message)) return;
    error.textContent = message;
    error.hidden = false;
    error.scrollIntoView({ block: 'nearest' });
  };
  /** What is entered, or null: something was wrong with it, and is told beside it. */
  const entered = () => {
    /** @type {Record<string, unknown>} */
    const values = {};
    let wrong = false;
    for (const each of widgets) {
      each.fail(null);
      try {
        values[each.name] = each.read();
      } catch (failure) {
        if (!(failure instanceof FieldError)) throw failure;
        if (!wrong) failure.input?.focus();
        each.fail(failure.message, failure.input);
        wrong = true;
      }
    }
    return wrong ? null : values;
  };
  const changed = () => {
    const now = Object.fromEntries(widgets.map((each) => [each.name, each.now()]));
    for (const each of widgets) each.changed?.(now);
  };
  const onsubmit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    error.hidden = true;
    const values = entered();
    if (values === null) return;
    send.disabled = true;
    try {
      const said = await submit(values);
      dialog.close();
      if (typeof said === 'string') toast(said);
    } catch (failure) {
      tell(messageOf(failure));
    } finally {
      send.disabled = false;
    }
  };
  const dialog = h(
    'dialog',
    { 'aria-label': title },
    h(
      'form',
      { onsubmit, onchange: changed, novalidate: true },
      h('h2', null, title),
      about ? h('div', { class: 'about quiet' }, about) : null,
      error,
      widgets.map(({ element }) => element),
      h('div', { class: 'actions' }, cancel, send),
    ),
  );
  document.body.append(dialog);
  changed();
  const closed = new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(undefined);
    });
  });
  dialog.showModal();
  return closed;
}

/**
 * Asks before something that cannot be undone.
 * @param {string} title
 * @param {Child} about
 * @param {string} action
 * @param {() => unknown} act
 */
export function ask(title, about, action, act) {
  return form({ title, about, fields: [], action, danger: true, submit: act });
}
