// Owns the fields of forms: how each is entered, read and said to be wrong. Never knows what a form is for.

import { flat, h } from './dom.js';
import { parseJson } from './json.js';

/** @import { Child } from './dom.js' */

/**
 * A field. `type` is one of text, password, number, check, checks, select and area. A `widget` takes the place of all
 * that. `about` tells whether what the broker said is about this field.
 * @typedef {object} Field
 * @property {string} name
 * @property {string} label
 * @property {string} [type]
 * @property {string | number | boolean | string[]} [value]
 * @property {(string | { value: string, label: string, help?: string })[]} [options]
 * @property {string | ((now: Record<string, unknown>) => Child)} [help]
 * @property {boolean} [required]
 * @property {number} [min] the least that a number may be
 * @property {string} [placeholder]
 * @property {string[]} [suggestions]
 * @property {RegExp} [about]
 * @property {boolean} [quoted] whether the broker quotes what is wrong in this field
 * @property {(field: Field) => Widget} [widget]
 */

/**
 * A field that is on the page. `read` throws a FieldError, `now` never throws, `fail` shows what is wrong or (null)
 * nothing, and says whether it had a place for it.
 * @typedef {object} Widget
 * @property {string} name
 * @property {Element} element
 * @property {() => unknown} read
 * @property {() => unknown} now
 * @property {(message: string) => boolean} claims
 * @property {(message: string | null, input?: HTMLElement | null) => boolean} fail
 * @property {(now: Record<string, unknown>) => void} [changed]
 */

/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Input */

/** What is wrong with what was entered, and where. */
export class FieldError extends Error {
  /**
   * @param {string} message
   * @param {HTMLElement | null} [input]
   */
  constructor(message, input = null) {
    super(message);
    this.input = input;
  }
}

let made = 0;

/** An id that no other element of the page has. */
function newId() {
  made += 1;
  return `f${made}`;
}

/**
 * The place below an input that says what is wrong with it.
 * @param {() => HTMLElement} input what it is about, unless told
 */
export function complaint(input) {
  const id = newId();
  const element = h('small', { class: 'wrong', id, role: 'alert', hidden: true });
  /** @type {HTMLElement | null} */
  let marked = null;
  let described = '';
  return {
    element,
    /**
     * @param {string | null} message
     * @param {HTMLElement | null} [at]
     */
    fail(message, at = null) {
      marked?.removeAttribute('aria-invalid');
      if (described === '') marked?.removeAttribute('aria-describedby');
      else marked?.setAttribute('aria-describedby', described);
      marked = null;
      element.hidden = message === null;
      element.textContent = message;
      if (message === null) return true;
      marked = at ?? input();
      marked.setAttribute('aria-invalid', 'true');
      described = marked.getAttribute('aria-describedby') ?? '';
      marked.setAttribute('aria-describedby', `${id} ${described}`.trim());
      element.scrollIntoView({ block: 'nearest' });
      return true;
    },
  };
}

/**
 * @param {Field} field
 * @returns {Widget}
 */
export function widgetOf(field) {
  if (field.widget !== undefined) return field.widget(field);
  return field.type === 'checks' ? checks(field) : single(field);
}

/**
 * A field of one input.
 * @param {Field} field
 * @returns {Widget}
 */
function single(field) {
  const input = inputOf(field);
  const { element: wrong, fail } = complaint(() => input);
  input.id = newId();
  const help = h('small', { id: newId() }, typeof field.help === 'string' ? field.help : null);
  if (field.help) input.setAttribute('aria-describedby', help.id);
  const list = field.suggestions
    ? h(
        'datalist',
        { id: newId() },
        field.suggestions.map((value) => h('option', { value })),
      )
    : null;
  if (list !== null) input.setAttribute('list', list.id);
  return {
    name: field.name,
    element: h(
      'div',
      { class: field.type === 'check' ? 'field check' : 'field' },
      h('label', { for: input.id }, field.label),
      input,
      list,
      field.help ? help : null,
      wrong,
    ),
    read: () => read(field, input),
    now: () => (field.type === 'check' ? /** @type {any} */ (input).checked : input.value),
    claims: (message) =>
      (field.about?.test(message) ?? false) ||
      (field.quoted === true && input.value !== '' && message.includes(input.value)),
    fail,
    changed(now) {
      if (typeof field.help === 'function') help.replaceChildren(...flat([field.help(now)]));
    },
  };
}

/**
 * A field of boxes, of which any number is checked; `value` has those that are, and others that have no box.
 * @param {Field} field
 * @returns {Widget}
 */
function checks({ name, label, options = [], value = [], about }) {
  const given = /** @type {string[]} */ (value);
  const boxes = options.map((option) => {
    const { value: word, label: text, help } = optionOf(option);
    const box = h('input', { type: 'checkbox', value: word, checked: given.includes(word) });
    const about = h('small', { id: newId() }, help);
    if (help) box.setAttribute('aria-describedby', about.id);
    const element = h('div', { class: 'check' }, h('label', null, box, ' ', text), about);
    return { box, word, element };
  });
  const known = boxes.map(({ word }) => word);
  const others = h('input', {
    value: given.filter((each) => !known.includes(each)).join(', '),
    'aria-label': `Other ${label.toLowerCase()}`,
    placeholder: 'others, such as: night, day',
  });
  const { element: wrong, fail } = complaint(() => others);
  const now = () => [
    ...boxes.filter(({ box }) => box.checked).map(({ word }) => word),
    ...others.value
      .split(',')
      .map((each) => each.trim())
      .filter((each) => each !== ''),
  ];
  return {
    name,
    element: h(
      'fieldset',
      { class: 'field' },
      h('legend', null, label),
      boxes.map(({ element }) => element),
      others,
      wrong,
    ),
    read: now,
    now,
    claims: (message) => about?.test(message) ?? false,
    fail,
  };
}

/** @param {string | { value: string, label: string, help?: string }} option */
const optionOf = (option) =>
  typeof option === 'string' ? { value: option, label: option === '' ? '–' : option } : option;

/**
 * @param {Field} field
 * @returns {Input}
 */
function inputOf({ type = 'text', value = '', options = [], placeholder }) {
  if (type === 'select') {
    const offered = options.map(optionOf);
    const now = String(value);
    // What is set stays as it is, even where it cannot be chosen.
    if (now !== '' && !offered.some((each) => each.value === now)) offered.push(optionOf(now));
    const select = h(
      'select',
      null,
      offered.map((each) => h('option', { value: each.value }, each.label)),
    );
    if (now !== '') select.value = now;
    return select;
  }
  if (type === 'area') return h('textarea', { spellcheck: 'false', placeholder, value });
  if (type === 'check') return h('input', { type: 'checkbox', checked: value === true });
  return h('input', {
    type: type === 'number' ? 'text' : type,
    inputmode: type === 'number' ? 'numeric' : null,
    value,
    placeholder,
    autocomplete: type === 'password' ? 'new-password' : 'off',
  });
}

/**
 * @param {Field} field
 * @param {Input} input
 */
function read({ type, label, required = false, min }, input) {
  if (input instanceof HTMLInputElement && type === 'check') return input.checked;
  if (required && input.value === '') throw new FieldError('This cannot be empty.', input);
  if (type === 'number') return readInteger(input, { min });
  if (type !== 'area' || !label.includes('JSON')) return input.value;
  return input.value.trim() === '' ? {} : readJson(input);
}

/**
 * An integer that was entered, or null where nothing was.
 * @param {Input} input
 * @param {{ min?: number, max?: number }} bounds
 */
export function readInteger(input, { min = -Infinity, max = Infinity }) {
  const text = input.value.trim();
  if (text === '') return null;
  const value = Number(text);
  if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new FieldError(`"${text}" is not a whole number.`, input);
  }
  if (value < min) throw new FieldError(`It must be ${min} or more.`, input);
  if (value > max) throw new FieldError(`It must be ${max} or less.`, input);
  return value;
}

/** @param {Input} input */
export function readJson(input) {
  try {
    return parseJson(input.value);
  } catch (error) {
    const why = error instanceof Error ? error.message : '';
    throw new FieldError(`This is not JSON: ${why}`, input);
  }
}
