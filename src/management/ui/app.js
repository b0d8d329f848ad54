// Owns the frame of the application: login, navigation, theme, and which view is shown. Never draws a view.

import { get, loggedIn, login, logout, whenLoggedOut } from './api.js';
import { h, replace, toast } from './dom.js';
import * as access from './views/access.js';
import * as connections from './views/connections.js';
import * as definitions from './views/definitions.js';
import * as exchanges from './views/exchanges.js';
import * as overview from './views/overview.js';
import * as policies from './views/policies.js';
import * as queue from './views/queue.js';
import * as queues from './views/queues.js';
import * as setAside from './views/set-aside.js';
import * as topology from './views/topology.js';

const REFRESH_MS = 2000;

/**
 * For each first part of a path its title in the navigation, if it has one, what draws it, and which tags
 * of a user lead there, if not all do: the broker would refuse the others.
 */
const VIEWS = {
  '': { title: 'Overview', show: overview.show },
  'set-aside': { under: '', show: setAside.show },
  queues: { title: 'Queues', show: queues.show },
  queue: { under: 'queues', show: queue.show },
  exchanges: { title: 'Exchanges', show: exchanges.showAll },
  exchange: { under: 'exchanges', show: exchanges.showOne },
  topology: { title: 'Topology', show: topology.show },
  connections: { title: 'Connections', show: connections.show },
  connection: { under: 'connections', show: connections.showOne },
  access: { title: 'Access', tags: ['administrator'], show: access.show },
  policies: {
    title: 'Policies',
    tags: ['administrator', 'policymaker'],
    show: policies.show,
  },
  definitions: { title: 'Definitions', tags: ['administrator'], show: definitions.show },
};

const main = document.getElementById('main');
let current = null;
let turn = 0;

function parts() {
  return location.hash.replace(/^#\/?/, '').split('?')[0].split('/').map(unescaped);
}

/** What was typed into the address need not be escaped as it should. */
function unescaped(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function drawNavigation(active) {
  const links = Object.entries(VIEWS)
    .filter(
      ([, { title, tags }]) => title && (tags ?? user.tags).some((tag) => user.tags.includes(tag)),
    )
    .map(([name, view]) =>
      h('a', { href: `#/${name}`, 'aria-current': name === active ? 'page' : null }, view.title),
    );
  replace(document.getElementById('nav'), links);
}

/** Who has logged in; null: that has not been asked yet. */
let user = null;

function drawSession() {
  replace(
    document.getElementById('session'),
    h('span', { class: 'quiet small', title: user.tags.join(', ') }, user.name),
    h(
      'button',
      { class: 'icon', type: 'button', 'aria-label': 'Light or dark', onclick: switchTheme },
      '◐',
    ),
    h('button', { type: 'button', onclick: logout }, 'Log out'),
  );
}

async function route() {
  turn += 1;
  const mine = turn;
  current?.dispose?.();
  current = null;
  if (!loggedIn()) {
    showLogin();
    return;
  }
  const [name, ...rest] = parts();
  const view = Object.hasOwn(VIEWS, name) ? VIEWS[name] : VIEWS[''];
  document.title = `${view.title ?? rest[rest.length - 1] ?? ''} · Leveret`;
  try {
    user ??= await get('/whoami');
    if (mine !== turn) return;
    drawSession();
    drawNavigation(view.under ?? name);
    const shown = await view.show(rest);
    if (mine !== turn) {
      shown.dispose?.();
      return;
    }
    current = shown;
    replace(main, shown.element);
    await refresh();
  } catch (error) {
    if (mine === turn && loggedIn()) showFailure(view, error);
  }
}

function showFailure(view, error) {
  const gone = error.status === 404 && view.under !== undefined;
  replace(
    main,
    h('p', { class: 'error', role: 'alert' }, error.message),
    gone
      ? h(
          'p',
          null,
          h('a', { href: `#/${view.under}` }, `Back to ${VIEWS[view.under].title.toLowerCase()}`),
        )
      : h('p', { class: 'quiet' }, 'Reload the page to try again.'),
  );
}

let failing = false;

async function refresh() {
  const view = current;
  if (view?.refresh === undefined) return;
  try {
    await view.refresh();
    failing = false;
  } catch (error) {
    if (view !== current || !loggedIn()) return;
    // Once is enough for what goes wrong every two seconds.
    if (!failing) toast(error.message, true);
    failing = true;
  }
}

async function keepFresh() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, REFRESH_MS));
    if (!document.hidden) await refresh();
  }
}

function showLogin() {
  user = null;
  replace(document.getElementById('nav'));
  replace(document.getElementById('session'));
  const error = h('p', { class: 'error', role: 'alert', hidden: true });
  const name = h('input', { name: 'username', autocomplete: 'username', required: true });
  const password = h('input', {
    name: 'password',
    type: 'password',
    autocomplete: 'current-password',
  });
  const onsubmit = async (event) => {
    event.preventDefault();
    try {
      await login(name.value, password.value);
      await route();
    } catch (failure) {
      error.textContent =
        failure.message === 'Login failed'
          ? 'The name or the password is wrong, or the user may log in from this machine only.'
          : failure.message;
      error.hidden = false;
    }
  };
  const field = (label, input) => h('label', { class: 'field' }, h('span', null, label), input);
  replace(
    main,
    h(
      'form',
      { class: 'card login', onsubmit },
      h('h1', { class: 'brand' }, h('img', { src: '/icon.svg', alt: '', width: 32 }), 'Leveret'),
      error,
      field('User', name),
      field('Password', password),
      h('div', { class: 'actions' }, h('button', { class: 'main', type: 'submit' }, 'Log in')),
    ),
  );
  name.focus();
}

function applyTheme(theme) {
  document.documentElement.dataset.theme = theme;
  window.dispatchEvent(new Event('leveret-theme'));
}

const prefersDark = matchMedia('(prefers-color-scheme: dark)');

function themeNow() {
  return localStorage.getItem('leveret.theme') ?? (prefersDark.matches ? 'dark' : 'light');
}

function switchTheme() {
  localStorage.setItem('leveret.theme', themeNow() === 'dark' ? 'light' : 'dark');
  applyTheme(themeNow());
}

prefersDark.addEventListener('change', () => applyTheme(themeNow()));
applyTheme(themeNow());
whenLoggedOut(() => route());
window.addEventListener('hashchange', () => {
  void route();
  main.focus({ preventScroll: true });
  window.scrollTo(0, 0);
});
void route();
void keepFresh();
