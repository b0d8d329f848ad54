// Owns the form that logs a user in, and why it is shown. Never keeps a password: api.js does.

import { ApiError, login } from '../api.js';
import { h, messageOf, place, replace } from '../dom.js';

/**
 * Shows the form; `why` says why a login ended that was there before.
 * @param {string | null} why
 * @param {() => unknown} then
 */
export function showLogin(why, then) {
  const error = h('p', { class: 'error', role: 'alert', hidden: why === null }, why);
  const name = h('input', { name: 'username', autocomplete: 'username', required: true });
  const password = h('input', {
    name: 'password',
    type: 'password',
    autocomplete: 'current-password',
  });
  const onsubmit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      await login(name.value, password.value);
    } catch (failure) {
      error.textContent = refusal(failure);
      error.hidden = false;
      return;
    }
    await then();
  };
  const field = (/** @type {string} */ label, /** @type {Element} */ input) =>
    h('label', { class: 'field' }, h('span', null, label), input);
  replace(
    place('main'),
    h(
      'form',
      { class: 'card login', onsubmit },
      h('h1', { class: 'brand' }, h('img', { src: 'icon.svg', alt: '', width: 32 }), 'Leveret'),
      error,
      field('User', name),
      field('Password', password),
      h('div', { class: 'actions' }, h('button', { class: 'main', type: 'submit' }, 'Log in')),
    ),
  );
  document.title = 'Log in · Leveret';
  name.focus();
}

/** @param {unknown} failure */
function refusal(failure) {
  if (failure instanceof ApiError && failure.status === 401 && failure.message === 'Login failed') {
    return 'The name or the password is wrong, or the user may log in only on the machine of the broker.';
  }
  return messageOf(failure);
}
