// Owns bringing what is on the page up to date with as few changes as can be: so focus, selected text and
// open details outlive a refresh every two seconds. Never makes elements of its own.

import { flat, sameListeners, takeListeners } from './dom.js';

/** @import { Child } from './dom.js' */

/**
 * Gives an element other children, keeping those that are alike.
 * @param {Element} element
 * @param {Child[]} children
 */
export function update(element, ...children) {
  const focused = document.activeElement;
  updateChildren(element, flat(children).map(asNode));
  // To move an element takes the focus from it.
  if (document.activeElement === focused || focused?.isConnected !== true) return;
  if (focused instanceof HTMLElement || focused instanceof SVGElement) {
    focused.focus({ preventScroll: true });
  }
}

/** @param {Node | string} child */
const asNode = (child) => (child instanceof Node ? child : document.createTextNode(child));

/**
 * @param {Node} element
 * @param {Node[]} fresh
 */
function updateChildren(element, fresh) {
  const keyed = new Map();
  for (const child of element.childNodes) {
    const key = keyOf(child);
    if (key !== null) keyed.set(key, child);
  }
  for (const [i, child] of fresh.entries()) {
    const key = keyOf(child);
    const found = key === null ? null : keyed.get(key);
    const at = element.childNodes[i] ?? null;
    if (found) {
      keyed.delete(key);
      if (found !== at) element.insertBefore(found, at);
      updateNode(found, child);
    } else if (at === null || key !== null || keyOf(at) !== null) element.insertBefore(child, at);
    else updateNode(at, child);
  }
  while (element.childNodes.length > fresh.length) element.lastChild?.remove();
}

/**
 * What stays the same thing in another place has a key.
 * @param {Node} node
 * @returns {string | null}
 */
const keyOf = (node) => (node instanceof HTMLElement ? (node.dataset['key'] ?? null) : null);

/**
 * @param {ChildNode} old
 * @param {Node} fresh
 */
function updateNode(old, fresh) {
  if (old === fresh) return;
  if (old.nodeName !== fresh.nodeName || !sameListeners(old, fresh)) {
    old.replaceWith(fresh);
    return;
  }
  if (old instanceof Text && fresh instanceof Text) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (!(old instanceof Element && fresh instanceof Element)) return;
  for (const { name } of [...old.attributes]) {
    // Whether details are open is for the reader to say.
    if (!fresh.hasAttribute(name) && name !== 'open') old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  takeListeners(old, fresh);
  updateChildren(old, [...fresh.childNodes]);
}
