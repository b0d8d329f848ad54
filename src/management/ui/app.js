// Owns the frame of the application: navigation, session, and which view is shown. Never draws a view.

import { ApiError, at, get, loggedIn, logout, whenLoggedOut } from './api.js';
import { h, messageOf, place, replace, toast } from './dom.js';
import { gonePage, isGone, unknownPage } from './frame/gone.js';
import { showLogin } from './frame/login.js';
import { isLost, watchBroker } from './frame/status.js';
import { followTheme, switchTheme } from './frame/theme.js';
import { vhostChooser } from './frame/vhost.js';
import { vhostNames } from './parts/vhosts.js';
import * as access from './views/admin/access.js';
import * as definitions from './views/admin/definitions.js';
import * as log from './views/admin/log.js';
import * as nodes from './views/admin/nodes.js';
import * as policies from './views/admin/policies.js';
import * as schedules from './views/admin/schedules.js';
import * as settings from './views/admin/settings.js';
import * as userPage from './views/admin/user.js';
import * as vhostPage from './views/admin/vhost.js';
import * as channel from './views/channel.js';
import * as connections from './views/connections.js';
import * as exchanges from './views/exchanges.js';
import * as overview from './views/overview.js';
import * as queue from './views/queue.js';
import * as queues from './views/queues.js';
import * as setAside from './views/set-aside.js';
import * as topology from './views/topology.js';

/** @import { Thing } from './frame/gone.js' */

const REFRESH_MS = 2000;

/**
 * What a view shows: an element, and what is called to bring it up to date and when it goes.
 * @typedef {{ element: Element, refresh?: () => unknown, dispose?: () => void }} Shown
 */

/**
 * A page. `under` is the section that it belongs to, `thing` what it is about, by the parts of its address: where
 * that is not there, the page says so.
 * @typedef {object} View
 * @property {string} [title]
 * @property {string} [under]
 * @property {string[]} [tags]
 * @property {true} [cluster] whether it is there for a broker of a cluster alone
 * @property {(rest: string[]) => Thing | null} [thing]
 * @property {(rest: any, user: User) => Shown | Promise<Shown>} show
 */

/**
 * For each first part of a path its title in the navigation, if it has one, what draws it, and which tags
 * of a user lead there, if not all do: the broker would refuse the others.
 * @type {Record<string, View>}
 */
const VIEWS = {
  '': { title: 'Overview', show: overview.show },
  'set-aside': { under: '', show: setAside.show },
  queues: { title: 'Queues', show: queues.show },
  queue: {
    under: 'queues',
    show: queue.show,
    thing: ([vhost = '', name = '']) => ({
      ...{ kind: 'queue', name, vhost, list: 'queues' },
      path: at`/queues/${vhost}/${name}`,
    }),
  },
  exchanges: { title: 'Exchanges', show: exchanges.showAll },
  exchange: {
    under: 'exchanges',
    show: exchanges.showOne,
    thing: ([vhost = '', name = '']) => ({
      ...{ kind: 'exchange', name, vhost, list: 'exchanges' },
      path: at`/exchanges/${vhost}/${name}`,
    }),
  },
  topology: {
    title: 'Topology',
    show: topology.show,
    thing: ([name]) =>
      name === undefined
        ? null
        : { kind: 'vhost', name, list: 'topology', path: at`/vhosts/${name}` },
  },
  connections: { title: 'Connections', show: connections.show },
  connection: {
    under: 'connections',
    show: connections.showOne,
    thing: ([name = '']) => ({
      ...{ kind: 'connection', name, list: 'connections' },
      path: at`/connections/${name}`,
    }),
  },
  channel: {
    under: 'connections',
    show: channel.show,
    thing: ([name = '']) => ({
      ...{ kind: 'channel', name, list: 'connections' },
      path: at`/channels/${name}`,
    }),
  },
  nodes: { title: 'Nodes', tags: ['administrator', 'monitoring'], cluster: true, show: nodes.show },
  access: { title: 'Access', tags: ['administrator'], show: access.show },
  user: {
    under: 'access',
    show: userPage.show,
    thing: ([name = '']) => ({ kind: 'user', name, list: 'access', path: at`/users/${name}` }),
  },
  vhost: {
    under: 'access',
    show: vhostPage.show,
    thing: ([name = '']) => ({ kind: 'vhost', name, list: 'access', path: at`/vhosts/${name}` }),
  },
  policies: {
    title: 'Policies',
    tags: ['administrator', 'policymaker'],
    show: policies.show,
  },
  schedules: {
    title: 'Schedules',
    tags: ['administrator', 'policymaker'],
    show: schedules.show,
  },
  definitions: { title: 'Definitions', tags: ['administrator'], show: definitions.show },
  settings: { title: 'Settings', tags: ['administrator'], show: settings.show },
  log: { title: 'Log', tags: ['administrator'], show: log.show },
};

const main = place('main');
/** @type {Shown | null} */
let current = null;
let turn = 0;

/** Addresses as RabbitMQ's pages have them: one thing below the name of its list. */
const SINGULAR = new Map(
  ['queue', 'exchange', 'connection', 'channel', 'user', 'vhost'].map((one) => [`${one}s`, one]),
);

function parts() {
  const all = location.hash.replace(/^#\/?/, '').replace(/\?.*/, '').split('/').map(unescaped);
  const [first = '', ...rest] = all;
  const one = SINGULAR.get(first);
  return one === undefined || rest.join('') === '' ? all : [one, ...rest];
}

/**
 * What was typed into the address need not be escaped as it should.
 * @param {string} part
 */
function unescaped(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/**
 * @param {User} user
 * @param {string} active
 */
function drawNavigation(user, active) {
  const links = Object.entries(VIEWS)
    .filter(
      ([, { title, tags, cluster }]) =>
        title &&
        (isClustered || !cluster) &&
        (tags ?? user.tags).some((tag) => user.tags.includes(tag)),
    )
    .map(([name, view]) =>
      h('a', { href: `#/${name}`, 'aria-current': name === active ? 'page' : null }, view.title),
    );
  replace(place('nav'), links);
  place('menu').hidden = false;
  openMenu(false);
}

/**
 * The section of the page that is asked for, also while no broker answers.
 * @param {string} active
 */
function markSection(active) {
  for (const link of place('nav').querySelectorAll('a')) {
    if (link.getAttribute('href') === `#/${active}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
}

/**
 * Opens or closes the navigation where it has no place of its own, as on a phone.
 * @param {boolean} open
 */
function openMenu(open) {
  place('menu').setAttribute('aria-expanded', String(open));
}

/** @typedef {{ name: string, tags: string[] }} User */

/**
 * The user that has logged in; null: that has not been asked yet.
 * @type {User | null}
 */
let user = null;
/** Whether the broker is one of a cluster. */
let isClustered = false;

/**
 * @param {User} user
 * @param {string[]} vhosts
 */
function drawSession(user, vhosts) {
  replace(
    place('session'),
    vhostChooser(vhosts, () => route()),
    h('span', { class: 'quiet small', title: user.tags.join(', ') }, user.name),
    h(
      'button',
      { class: 'icon', type: 'button', 'aria-label': 'Light or dark', onclick: switchTheme },
      '◐',
    ),
    h('button', { type: 'button', onclick: () => logout() }, 'Log out'),
  );
}

/** @param {string | null} why */
function drawLogin(why) {
  user = null;
  replace(place('nav'));
  replace(place('session'));
  place('menu').hidden = true;
  showLogin(why, route);
}

/** @param {string | null} [why] why there is no login any more */
async function route(why = null) {
  turn += 1;
  const mine = turn;
  current?.dispose?.();
  current = null;
  if (!loggedIn()) {
    drawLogin(why);
    return;
  }
  const [name = '', ...rest] = parts();
  const view = Object.hasOwn(VIEWS, name) ? VIEWS[name] : undefined;
  markSection(view?.under ?? name);
  document.title = `${view?.title ?? rest[rest.length - 1] ?? 'No such page'} · Leveret`;
  try {
    if (user === null) isClustered = (await get('/leveret/status')).cluster !== null;
    const me = /** @type {User} */ (user ?? (await get('/whoami')));
    user = me;
    const vhosts = await vhostNames();
    if (mine !== turn) return;
    drawSession(me, vhosts);
    drawNavigation(me, view?.under ?? name);
    const shown = view === undefined ? { element: unknownPage() } : await view.show(rest, me);
    if (mine !== turn) {
      shown.dispose?.();
      return;
    }
    current = shown;
    replace(main, shown.element);
    await refresh();
  } catch (error) {
    if (mine === turn && loggedIn()) await showFailure(error);
  }
}

/** @param {unknown} error */
async function showFailure(error) {
  const mine = turn;
  if (await showGone(error)) return;
  if (mine !== turn) return;
  replace(
    main,
    h('p', { class: 'error', role: 'alert' }, messageOf(error)),
    h(
      'p',
      { class: 'quiet' },
      error instanceof ApiError && error.status === 0
        ? 'This page is shown as soon as the broker answers.'
        : 'Reload the page to try again.',
    ),
  );
}

/**
 * Shows that what the page is about is not there, if that is what an error says.
 * @param {unknown} error
 */
async function showGone(error) {
  const mine = turn;
  const [name = '', ...rest] = parts();
  const thing = VIEWS[name]?.thing?.(rest) ?? null;
  if (thing === null || !(error instanceof ApiError) || error.status !== 404) return false;
  if (!(await isGone(thing.path).catch(() => false))) return false;
  const element = await gonePage(thing);
  if (mine !== turn) return true;
  current?.dispose?.();
  // Names of connections are never used again.
  const returns = thing.kind !== 'connection' && thing.kind !== 'channel';
  const refresh = async () => {
    if (returns && !(await isGone(thing.path)) && mine === turn) await route();
  };
  current = { element, refresh };
  replace(main, element);
  return true;
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
    if (await showGone(error)) return;
    // The banner tells of a broker that does not answer. Once is enough for what goes wrong every two seconds.
    const silent = error instanceof ApiError && error.status === 0;
    if (!failing && !silent && !isLost()) toast(messageOf(error), true);
    failing = true;
  }
}

async function keepFresh() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, REFRESH_MS));
    if (!document.hidden && !isLost()) await refresh();
  }
}

followTheme();
place('skip').addEventListener('click', (event) => {
  // The address names the page that is shown: it is no place in it.
  event.preventDefault();
  main.focus();
});
place('menu').addEventListener('click', () =>
  openMenu(place('menu').getAttribute('aria-expanded') !== 'true'),
);
whenLoggedOut((why) => route(why));
window.addEventListener('hashchange', () => {
  void route();
  main.focus({ preventScroll: true });
  window.scrollTo(0, 0);
});
void route();
void keepFresh();
// A page that could not be shown is shown now, another goes on.
watchBroker(() => (current === null ? route() : refresh()));
