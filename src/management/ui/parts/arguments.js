// Owns how arguments and policy keys are entered by click: those that the broker knows with what each one does, others
// by name, all of it as JSON. Never knows what they are for.

import { get } from '../api.js';
import { h, replace, span } from '../dom.js';
import { complaint, FieldError, readInteger, readJson } from '../fields.js';

/** @import { Field, Widget, Input } from '../fields.js' */

/**
 * What the broker knows of an argument or a key.
 * @typedef {object} Known
 * @property {string} name
 * @property {string} about
 * @property {string} expects
 * @property {boolean} effect
 * @property {{ type: string, min?: number, max?: number, unit?: string, choices?: (string | number)[] }} value
 * @property {string[] | null} only_for
 * @property {boolean} [operator]
 * @property {string} [applies_to]
 */

/** @type {Promise<any> | null} */
let kept = null;

/** What the broker knows of types, arguments and keys; it is asked once. */
export function reference() {
  kept ??= get('/leveret/reference').catch((error) => {
    kept = null;
    throw error;
  });
  return kept;
}

/** What an argument without a row in the tables may be. */
const TYPES = ['text', 'number', 'true or false', 'JSON'];

/**
 * A field of arguments. `known(now)` gives those to choose from, by what the rest of the form says.
 * @param {{ word: string, known: (now: Record<string, unknown>) => Known[], value?: Record<string, unknown> }} given
 * @returns {(field: Field) => Widget}
 */
export function argumentsField({ word, known, value = {} }) {
  return ({ name, label }) => {
    /** @type {Row[]} */
    let rows = [];
    /** @type {Known[]} */
    let offered = known({});
    const list = h('div');
    const json = h('textarea', {
      spellcheck: 'false',
      'aria-label': `${label} (JSON)`,
      hidden: true,
    });
    const wrong = complaint(() => (json.hidden ? add : json));
    const add = h('select', { 'aria-label': `Add ${word}`, onchange: () => choose() });
    const drop = (/** @type {Row} */ row) => {
      rows = rows.filter((each) => each !== row);
      replace(
        list,
        rows.map(({ element }) => element),
      );
      offer();
      add.focus();
    };
    const append = (/** @type {string} */ key, /** @type {unknown} */ given) => {
      const about = offered.find((each) => each.name === key);
      const row = about === undefined ? freeRow(key, given, drop) : knownRow(about, given, drop);
      rows.push(row);
      list.append(row.element);
      return row;
    };
    const choose = () => {
      const row = append(add.value === OTHER ? '' : add.value, undefined);
      offer();
      row.first.focus();
    };
    const offer = () => {
      const taken = new Set(rows.map((row) => row.key()));
      const free = offered.filter((each) => !taken.has(each.name));
      const option = (/** @type {Known} */ each) => h('option', { value: each.name }, each.name);
      const idle = free.filter(({ effect }) => !effect);
      replace(
        add,
        h('option', { value: '' }, `Add ${word} …`),
        free.filter(({ effect }) => effect).map(option),
        h('option', { value: OTHER }, 'another one, by its name'),
        idle.length > 0 ? h('optgroup', { label: 'without effect here' }, idle.map(option)) : null,
      );
      add.value = '';
    };
    const collected = () => {
      const all = rows.map((row) => [row.key(), row.read()]);
      const twice = all.find(([key], i) => all.findIndex(([other]) => other === key) !== i);
      if (twice !== undefined) throw new FieldError(`${twice[0]} is there twice.`, add);
      return Object.fromEntries(all);
    };
    const read = () => {
      if (json.hidden) return collected();
      const given = json.value.trim() === '' ? {} : readJson(json);
      if (typeof given !== 'object' || given === null || Array.isArray(given)) {
        throw new FieldError('This must be a JSON object: {"name": value}.', json);
      }
      return given;
    };
    const fill = (/** @type {Record<string, unknown>} */ from) => {
      rows = [];
      replace(list);
      for (const [key, each] of Object.entries(from)) append(key, each);
      offer();
    };
    const toggle = h(
      'button',
      { type: 'button', class: 'plain', onclick: () => swap() },
      'As JSON',
    );
    const swap = () => {
      wrong.fail(null);
      try {
        const now = read();
        const toJson = json.hidden;
        if (toJson) json.value = Object.keys(now).length === 0 ? '' : JSON.stringify(now, null, 1);
        else fill(now);
        json.hidden = !toJson;
        list.hidden = toJson;
        add.hidden = toJson;
        toggle.textContent = toJson ? 'By click' : 'As JSON';
      } catch (error) {
        if (!(error instanceof FieldError)) throw error;
        fail(error.message, error.input);
      }
    };
    /**
     * @param {string | null} message
     * @param {HTMLElement | null} [input]
     */
    const fail = (message, input = null) => {
      for (const row of rows) row.fail(null);
      wrong.fail(null);
      if (message === null) return true;
      const row = rows.find((each) =>
        input === null ? names(message, each.key()) : each.element.contains(input),
      );
      return row === undefined ? wrong.fail(message, input) : row.fail(message, input);
    };
    fill(value);
    return {
      name,
      element: h(
        'fieldset',
        { class: 'field arguments' },
        h('legend', null, label),
        list,
        json,
        h('div', { class: 'bar' }, add, toggle),
        wrong.element,
      ),
      read,
      now: () => null,
      claims: (message) =>
        json.hidden
          ? rows.some((row) => names(message, row.key()))
          : offered.some((each) => names(message, each.name)),
      fail,
      changed(now) {
        offered = known(now);
        offer();
      },
    };
  };
}

const OTHER = '\u0000other';

/**
 * Whether a message speaks of a key: as a whole word.
 * @param {string} message
 * @param {string} key
 */
const names = (message, key) =>
  key !== '' && message.split(/[^\w.-]+/).some((each) => each === key || each === `x-${key}`);

/**
 * One argument on the page.
 * @typedef {object} Row
 * @property {() => string} key
 * @property {Element} element
 * @property {HTMLElement} first
 * @property {() => unknown} read
 * @property {(message: string | null, input?: HTMLElement | null) => boolean} fail
 */

/**
 * @param {Known} known
 * @param {unknown} given
 * @param {(row: Row) => void} drop
 * @returns {Row}
 */
function knownRow({ name, about, expects, value }, given, drop) {
  const input = inputFor(name, value, given);
  const hint = h('small', null, `${plain(about)} Takes ${plain(expects)}.`);
  const length = h('small', { class: 'quiet' });
  const wrong = complaint(() => input);
  if (value.unit === 'ms') {
    const tell = () => {
      const ms = Number(input.value);
      length.textContent = input.value !== '' && ms >= 1000 ? `That is ${span(ms)}.` : '';
    };
    input.addEventListener('input', tell);
    tell();
  }
  /** @type {Row} */
  const row = {
    key: () => name,
    first: input,
    read: () => readAs(value, input),
    fail: wrong.fail,
    element: h(
      'div',
      { class: 'argument' },
      h('code', { class: 'mono' }, name),
      input,
      remover(name, () => drop(row)),
      hint,
      length,
      wrong.element,
    ),
  };
  return row;
}

/**
 * Backquotes are for the pages of the docs.
 * @param {string} text
 */
const plain = (text) => text.replaceAll('`', '');

/**
 * @param {string} name
 * @param {() => void} act
 */
const remover = (name, act) =>
  h(
    'button',
    { type: 'button', class: 'icon', 'aria-label': `Remove ${name || 'this one'}`, onclick: act },
    '×',
  );

/**
 * @param {string} name
 * @param {Known['value']} shape
 * @param {unknown} given
 * @returns {Input}
 */
function inputFor(name, { type, choices = [] }, given) {
  const label = { 'aria-label': name };
  const words = type === 'boolean' ? [true, false] : choices;
  if (words.length > 0) {
    const select = h(
      'select',
      label,
      words.map((each) => h('option', { value: String(each) }, String(each))),
    );
    if (given !== undefined) select.value = String(given);
    return select;
  }
  const text = given === undefined ? '' : type === 'any' ? JSON.stringify(given) : String(given);
  const numeric = type === 'integer' ? 'numeric' : type === 'number' ? 'decimal' : null;
  return h('input', { ...label, value: text, inputmode: numeric, autocomplete: 'off' });
}

/**
 * @param {Known['value']} shape
 * @param {Input} input
 */
function readAs({ type, min, max, choices = [] }, input) {
  if (type === 'boolean') return input.value === 'true';
  if (type === 'choice') return choices.find((each) => String(each) === input.value);
  if (type === 'any') return readJson(input);
  if (type === 'number') return readNumber(input, { min, max });
  if (type !== 'integer') return input.value;
  const value = readInteger(input, { min, max });
  if (value === null) throw new FieldError('Give a whole number.', input);
  return value;
}

/**
 * A number that need not be whole, within bounds.
 * @param {Input} input
 * @param {{ min?: number, max?: number }} bounds
 */
function readNumber(input, { min = -Infinity, max = Infinity }) {
  const value = input.value.trim() === '' ? NaN : Number(input.value);
  if (!Number.isFinite(value)) throw new FieldError('Give a number.', input);
  if (value < min) throw new FieldError(`It must be ${min} or more.`, input);
  if (value > max) throw new FieldError(`It must be ${max} or less.`, input);
  return value;
}

/**
 * An argument whose name is not in the tables.
 * @param {string} key
 * @param {unknown} given
 * @param {(row: Row) => void} drop
 * @returns {Row}
 */
function freeRow(key, given, drop) {
  const name = h('input', {
    'aria-label': 'Name of the argument',
    placeholder: 'name',
    value: key,
  });
  const value = h('input', { 'aria-label': 'Value', placeholder: 'value', value: textOf(given) });
  const type = h(
    'select',
    { 'aria-label': 'Type of the value' },
    TYPES.map((each) => h('option', { value: each }, each)),
  );
  type.value = typeOf(given);
  const wrong = complaint(() => value);
  /** @type {Row} */
  const row = {
    key: () => name.value,
    first: name,
    read() {
      if (name.value === '') throw new FieldError('Give it a name.', name);
      return readFree(type.value, value);
    },
    fail: wrong.fail,
    element: h(
      'div',
      { class: 'argument free' },
      name,
      value,
      type,
      remover(key, () => drop(row)),
      wrong.element,
    ),
  };
  return row;
}

/** @param {unknown} given */
function textOf(given) {
  if (given === undefined) return '';
  return typeof given === 'string' ? given : JSON.stringify(given);
}

/** @param {unknown} given */
function typeOf(given) {
  if (typeof given === 'number') return 'number';
  if (typeof given === 'boolean') return 'true or false';
  return given === undefined || typeof given === 'string' ? 'text' : 'JSON';
}

/**
 * @param {string} type
 * @param {HTMLInputElement} input
 */
function readFree(type, input) {
  if (type === 'text') return input.value;
  if (type === 'JSON') return readJson(input);
  if (type === 'number') {
    const value = Number(input.value);
    if (input.value.trim() !== '' && Number.isFinite(value)) return value;
    throw new FieldError(`"${input.value}" is not a number.`, input);
  }
  if (input.value === 'true' || input.value === 'false') return input.value === 'true';
  throw new FieldError('Write true or false.', input);
}
