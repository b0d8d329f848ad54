// Owns the frame of the application: login, navigation, theme, and which view is shown. Never draws a view.

import { get, loggedIn, login, logout, whenLoggedOut } from './api.js';
import { h, replace, toast } from './dom.js';
import * as access from './views/access.js';
import * as connections from './views/connections.js';
import * as definitions from './views/definitions.js';
import * as exchanges from './views/exchanges.js';
import * as overview from './views/overview.js';
import * as queue from './views/queue.js';
import * as queues from './views/queues.js';
import * as topology from './views/topology.js';

const REFRESH_MS = 2000;

/** For each first part of a path its title in the navigation, if it has one, and what draws it. */
const VIEWS = {
  '': { title: 'Overview', show: overview.show },
  queues: { title: 'Queues', show: queues.show },
  queue: { under: 'queues', show: queue.show },
  exchanges: { title: 'Exchanges', show: exchanges.showAll },
  exchange: { under: 'exchanges', show: exchanges.showOne },
  topology: { title: 'Topology', show: topology.show },
  connections: { title: 'Connections', show: connections.show },
  connection: { under: 'connections', show: connections.showOne },
  access: { title: 'Access', show: access.show },
  policies: { title: 'Policies', show: access.showPolicies },
  definitions: { title: 'Definitions', show: definitions.show },
};

const main = document.getElementById('main');
let current = null;
let turn = 0;

function parts() {
  return location.hash
    .replace(/^#\/?/, '')
    .split('?')[0]
    .split('/')
    .map((part) => decodeURIComponent(part));
}

function drawNavigation(active) {
  const links = Object.entries(VIEWS)
    .filter(([, view]) => view.title)
    .map(([name, view]) =>
      h('a', { href: `#/${name}`, 'aria-current': name === active ? 'page' : null }, view.title),
    );
  replace(document.getElementById('nav'), links);
}

async function drawSession() {
  const { name, tags } = await get('/whoami');
  replace(
    document.getElementById('session'),
    h('span', { class: 'quiet small', title: tags.join(', ') }, name),
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
  const view = VIEWS[name] ?? VIEWS[''];
  drawNavigation(view.under ?? name);
  document.title = `${view.title ?? rest[rest.length - 1] ?? ''} · Leveret`;
  try {
    const shown = await view.show(rest);
    if (mine !== turn) {
      shown.dispose?.();
      return;
    }
    current = shown;
    replace(main, shown.element);
    await refresh();
  } catch (error) {
    if (mine === turn && loggedIn()) replace(main, h('p', { class: 'error' }, error.message));
  }
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
      await drawSession();
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
if (loggedIn()) drawSession().catch(() => {});
void route();
void keepFresh();
