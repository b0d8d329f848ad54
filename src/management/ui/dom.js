// Owns making elements. Whatever comes from the broker is put in as text: never as markup.

/** An element with properties and children; strings become text, null and false nothing. */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function s(tag, props, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) listen(element, name.slice(2), value);
    else if (name === 'value' || name === 'checked') element[name] = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...flat(children));
  return element;
}

/** What listens to an element, by the kind of event; another may take its place. */
const listeners = new WeakMap();

function listen(element, kind, act) {
  if (!listeners.has(element)) listeners.set(element, {});
  listeners.get(element)[kind] = act;
  element.addEventListener(kind, (event) => listeners.get(element)[kind](event));
}

/** Whether two elements are listened to for the same kinds of events. */
export function sameListeners(a, b) {
  const kinds = (element) => Object.keys(listeners.get(element) ?? {}).join();
  return kinds(a) === kinds(b);
}

/** Lets an element act as another one would, which takes its place only on paper. */
export function takeListeners(element, other) {
  if (listeners.has(other)) listeners.set(element, listeners.get(other));
}

/** Children in one list, without those that are nothing. */
export function flat(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}

/** Puts other children in place of those that are there. */
export function replace(element, ...children) {
  element.replaceChildren(...flat(children));
}

/** Says something for a few seconds. */
export function toast(text, bad = false) {
  const note = h('div', { class: bad ? 'toast bad' : 'toast' }, text);
  document.getElementById('toasts').append(note);
  setTimeout(() => note.remove(), bad ? 9000 : 4000);
}

/** A link to a page of this application. */
export function link(path, ...children) {
  return h('a', { href: `#${path}` }, ...children);
}

/** The path of a page about something in a vhost. */
export function pathOf(kind, vhost, name) {
  return `/${kind}/${encodeURIComponent(vhost)}/${encodeURIComponent(name)}`;
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

/** A number, with digits in groups; large ones are rounded. */
export function count(value) {
  if (value === null || value === undefined) return '–';
  return Math.abs(value) >= 1e6 ? short.format(value) : whole.format(value);
}

/** So many of something. */
export function many(value, what) {
  return `${count(value)} ${what}${value === 1 ? '' : 's'}`;
}

/** A rate a second. */
export function rate(value) {
  if (value === null || value === undefined) return '–';
  const small = value > 0 && value < 10 && !Number.isInteger(value);
  return small ? `${value.toFixed(1)}/s` : `${count(value)}/s`;
}

/** A size in bytes. */
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

/** A span of time given in ms. */
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

/** A moment, as the reader's place writes it. */
export function moment(ms) {
  return new Date(ms).toLocaleString();
}

export function tag(text, kind = '') {
  return h('span', { class: `tag ${kind}` }, text);
}

/** Names and values below each other. */
export function facts(pairs) {
  return h(
    'dl',
    null,
    pairs
      .filter((pair) => pair !== null)
      .map(([name, value]) => [h('dt', null, name), h('dd', null, value)]),
  );
}
