// Owns dialogs: forms that send something, and questions before something is lost.

import { h, toast } from './dom.js';

/**
 * Opens a form. A field has `name`, `label`, and may have `type` (text, password, number, check, select,
 * area), `value`, `options`, `help`, `required`. `submit(values)` may reject: what it says is shown, and
 * the form stays. Resolves when the dialog is closed.
 */
export function form({ title, about, fields, action, danger = false, submit }) {
  const error = h('p', { class: 'error', role: 'alert', hidden: true });
  const inputs = fields.map((field) => [field, inputOf(field)]);
  const send = h('button', { class: danger ? 'danger' : 'main', type: 'submit' }, action);
  const cancel = h('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel');
  const onsubmit = async (event) => {
    event.preventDefault();
    send.disabled = true;
    error.hidden = true;
    try {
      const values = Object.fromEntries(
        inputs.map(([field, input]) => [field.name, read(field, input)]),
      );
      const said = await submit(values);
      dialog.close();
      if (typeof said === 'string') toast(said);
    } catch (failure) {
      error.textContent = failure.message;
      error.hidden = false;
    } finally {
      send.disabled = false;
    }
  };
  const dialog = h(
    'dialog',
    { 'aria-label': title },
    h(
      'form',
      { onsubmit },
      h('h2', null, title),
      about ? h('p', { class: 'quiet' }, about) : null,
      error,
      inputs.map(([field, input]) =>
        h(
          'label',
          { class: field.type === 'check' ? 'field check' : 'field' },
          h('span', null, field.label),
          input,
          field.help ? h('small', null, field.help) : null,
        ),
      ),
      h('div', { class: 'actions' }, cancel, send),
    ),
  );
  document.body.append(dialog);
  const closed = new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve();
    });
  });
  dialog.showModal();
  return closed;
}

/** Asks before something that cannot be undone. */
export function ask(title, about, action, act) {
  return form({ title, about, fields: [], action, danger: true, submit: act });
}

function inputOf({ type = 'text', value = '', options = [], required = false, placeholder }) {
  if (type === 'select') {
    const select = h(
      'select',
      null,
      options.map((option) => h('option', { value: option }, option === '' ? '–' : option)),
    );
    if (value !== '') select.value = value;
    return select;
  }
  if (type === 'area') return h('textarea', { required, spellcheck: 'false', placeholder, value });
  if (type === 'check') return h('input', { type: 'checkbox', checked: value === true });
  return h('input', { type, value, required, placeholder, autocomplete: 'off' });
}

function read({ type, label }, input) {
  if (type === 'check') return input.checked;
  if (type === 'number') return input.value === '' ? null : Number(input.value);
  if (type !== 'area' || label.indexOf('JSON') < 0) return input.value;
  if (input.value.trim() === '') return {};
  try {
    return JSON.parse(input.value);
  } catch (error) {
    throw new Error(`${label} is no JSON: ${error.message}`);
  }
}
