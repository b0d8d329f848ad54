// Owns making elements. Whatever comes from the broker is put in as text: never as markup.

/**
 * What an element has as a child: lists are taken apart, null and false are nothing, all else becomes text.
 * @typedef {Node | string | number | boolean | null | undefined | Child[]} Child
 */

/**
 * Attributes by name; a name with `on` before it is what listens to an event.
 * @typedef {Record<string, unknown> | null} Props
 */

/**
 * An element with properties and children; strings become text, null and false nothing.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Props} [props]
 * @param {Child[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/**
 * The same for SVG.
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Props} [props]
 * @param {Child[]} children
 * @returns {SVGElementTagNameMap[T]}
 */
export function s(tag, props, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), props, children);
}

/**
 * @template {Element} E
 * @param {E} element
 * @param {Props | undefined} props
 * @param {Child[]} children
 * @returns {E}
 */
function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) {
      listen(element, name.slice(2), /** @type {Act} */ (value));
    } else if (name === 'value' || name === 'checked') Reflect.set(element, name, value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...flat(children));
  return element;
}

/**
 * What listens to an event. The kind of event decides what it is given.
 * @typedef {(event: Event) => unknown} Act
 */

/**
 * What listens to an element, by the kind of event; another may take its place.
 * @type {WeakMap<Node, Record<string, Act>>}
 */
const listeners = new WeakMap();

/**
 * What goes wrong in an act, or later in what it began, is said: a click never does nothing.
 * @param {Element} element
 * @param {string} kind
 * @param {Act} act
 */
function listen(element, kind, act) {
  listeners.set(element, { ...listeners.get(element), [kind]: act });
  element.addEventListener(kind, async (event) => {
    try {
      await listeners.get(element)?.[kind]?.(event);
    } catch (error) {
      toast(messageOf(error), true);
    }
  });
}

/**
 * Whether two elements are listened to for the same kinds of events.
 * @param {Node} a
 * @param {Node} b
 */
export function sameListeners(a, b) {
  const kinds = (/** @type {Node} */ element) => Object.keys(listeners.get(element) ?? {}).join();
  return kinds(a) === kinds(b);
}

/**
 * Lets an element act as another one would, which takes its place only on paper.
 * @param {Node} element
 * @param {Node} other
 */
export function takeListeners(element, other) {
  const acts = listeners.get(other);
  if (acts !== undefined) listeners.set(element, acts);
}

/**
 * Children in one list, without those that are nothing.
 * @param {Child[]} children
 * @returns {(Node | string)[]}
 */
export function flat(children) {
  return /** @type {unknown[]} */ (/** @type {unknown[]} */ (children).flat(Infinity))
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}

/**
 * Puts other children in place of those that are there.
 * @param {Element} element
 * @param {Child[]} children
 */
export function replace(element, ...children) {
  element.replaceChildren(...flat(children));
}

/**
 * Says something for a few seconds.
 * @param {string} text
 */
export function toast(text, bad = false) {
  const note = h('div', { class: bad ? 'toast bad' : 'toast' }, text);
  place('toasts').append(note);
  setTimeout(() => note.remove(), bad ? 9000 : 4000);
}

/**
 * A link to a page of this application.
 * @param {string} path
 * @param {Child[]} children
 */
export function link(path, ...children) {
  return h('a', { href: `#${path}` }, ...children);
}

/**
 * The path of a page about something in a vhost.
 * @param {string} kind
 * @param {string} vhost
 * @param {string} name
 */
export function pathOf(kind, vhost, name) {
  return `/${kind}/${encodeURIComponent(vhost)}/${encodeURIComponent(name)}`;
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

/**
 * What the broker may not know.
 * @typedef {number | null | undefined} Figure
 */

/**
 * A number, with digits in groups; large ones are rounded.
 * @param {Figure} value
 */
export function count(value) {
  if (value === null || value === undefined) return '–';
  return Math.abs(value) >= 1e6 ? short.format(value) : whole.format(value);
}

/**
 * So many of something.
 * @param {Figure} value
 * @param {string} what
 */
export function many(value, what) {
  return `${count(value)} ${what}${value === 1 ? '' : 's'}`;
}

/**
 * A rate a second.
 * @param {Figure} value
 */
export function rate(value) {
  if (value === null || value === undefined) return '–';
  const small = value > 0 && value < 10 && !Number.isInteger(value);
  return small ? `${value.toFixed(1)}/s` : `${count(value)}/s`;
}

/**
 * A size in bytes.
 * @param {Figure} value
 */
export function bytes(value) {
  if (value === null || value === undefined || value >= Number.MAX_SAFE_INTEGER) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  let size = value;
  while (size >= 1024 && at < units.length - 1) {
    size /= 1024;
    at += 1;
  }
  return `${size >= 100 || at === 0 ? Math.round(size) : size.toFixed(1)} ${units[at]}`;
}

/**
 * A span of time given in ms.
 * @param {Figure} ms
 */
export function span(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms > 0 && ms < 10) return `${Number(ms.toFixed(1)) || '< 0.1'} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/**
 * A moment, as the reader's place writes it.
 * @param {number} ms
 */
export function moment(ms) {
  return new Date(ms).toLocaleString();
}

/**
 * A word in a box; `kind` is its class.
 * @param {Child} text
 */
export function tag(text, kind = '') {
  return h('span', { class: `tag ${kind}` }, text);
}

/**
 * Names and values below each other.
 * @param {([Child, Child] | null)[]} pairs
 */
export function facts(pairs) {
  return h(
    'dl',
    null,
    pairs
      .filter((pair) => pair !== null)
      .map(([name, value]) => [h('dt', null, name), h('dd', null, value)]),
  );
}

/**
 * An element that the page always has.
 * @param {string} id
 */
export function place(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no ${id}`);
  return element;
}

/**
 * What an error says.
 * @param {unknown} error
 */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
