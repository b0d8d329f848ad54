// Owns the page of users, vhosts and permissions.

import { at, call, get } from '../../api.js';
import { form } from '../../dialog.js';
import { count, h, link, tag } from '../../dom.js';
import { chosenVhost } from '../../frame/vhost.js';
import { button, remover, section } from '../../parts/page.js';
import { vhostField } from '../../parts/vhosts.js';
import { table } from '../../table.js';

export async function show() {
  const chosen = chosenVhost();
  const isIn = ({ vhost }) => chosen === '' || vhost === chosen;
  const refresh = async () => {
    users.show(await get('/users'));
    vhosts.show(await get('/vhosts'));
    permissions.show((await get('/permissions')).filter(isIn));
    topics.show((await get('/topic-permissions')).filter(isIn));
  };
  const users = table({
    caption: 'Users',
    stack: true,
    empty: 'There is no user.',
    columns: [
      { title: 'Name', name: true, cell: (row) => link(at`/user/${row.name}`, row.name) },
      { title: 'Tags', cell: (row) => row.tags.map((each) => tag(each)) },
      {
        title: 'Login',
        wide: true,
        cell: (row) => (row.password_hash === '' ? tag('no password', 'grey') : 'password'),
      },
      {
        title: '',
        num: true,
        cell: (row) => [
          button('Change', () => editUser(refresh, row)),
          ' ',
          button('Limits', () => limit('/user-limits', row.name, USER_LIMITS)),
          ' ',
          remover(row.name, at`/users/${row.name}`, refresh, 'Its connections are closed.'),
        ],
      },
    ],
  });
  const vhosts = table({
    caption: 'Vhosts',
    stack: true,
    empty: 'There is no vhost.',
    columns: [
      {
        title: 'Name',
        name: true,
        cell: (row) => [
          link(at`/vhost/${row.name}`, row.name),
          ...groupTag(row.leveret),
          row.description ? h('div', { class: 'quiet small' }, row.description) : null,
        ],
      },
      { title: 'Ready', num: true, wide: true, cell: (row) => count(row.messages_ready) },
      {
        title: 'Unacked',
        num: true,
        wide: true,
        cell: (row) => count(row.messages_unacknowledged),
      },
      {
        title: '',
        num: true,
        cell: (row) => [
          button('Limits', () => limit('/vhost-limits', row.name, VHOST_LIMITS)),
          ' ',
          remover(
            row.name,
            at`/vhosts/${row.name}`,
            refresh,
            'All queues, exchanges and messages in it are lost, and its connections are closed.',
          ),
        ],
      },
    ],
  });
  const permissions = table({
    caption: 'Permissions',
    stack: true,
    empty: 'No user has a permission: grant one.',
    columns: [
      { title: 'User', name: true, cell: (row) => row.user },
      { title: 'Vhost', cell: (row) => row.vhost },
      { title: 'Configure', cell: (row) => h('code', { class: 'mono' }, row.configure) },
      { title: 'Write', cell: (row) => h('code', { class: 'mono' }, row.write) },
      { title: 'Read', cell: (row) => h('code', { class: 'mono' }, row.read) },
      {
        title: '',
        num: true,
        cell: (row) => [
          button('Change', () => grant(refresh, row)),
          ' ',
          remover(
            `the permission of ${row.user}`,
            at`/permissions/${row.vhost}/${row.user}`,
            refresh,
          ),
        ],
      },
    ],
  });
  const topics = table({
    caption: 'Topic permissions',
    stack: true,
    empty: 'Routing keys of topic exchanges are not restricted.',
    columns: [
      { title: 'User', name: true, cell: (row) => row.user },
      { title: 'Vhost', cell: (row) => row.vhost },
      { title: 'Exchange', cell: (row) => row.exchange },
      { title: 'Write', cell: (row) => h('code', { class: 'mono' }, row.write) },
      { title: 'Read', cell: (row) => h('code', { class: 'mono' }, row.read) },
      {
        title: '',
        num: true,
        cell: (row) => [
          button('Change', () => grantTopic(refresh, row)),
          ' ',
          remover(
            `the topic permission of ${row.user} for ${row.exchange}`,
            at`/topic-permissions/${row.vhost}/${row.user}/${row.exchange}`,
            refresh,
            'Routing keys are not restricted any more there.',
          ),
        ],
      },
    ],
  });
  return {
    element: h(
      'div',
      null,
      h('div', { class: 'head' }, h('h1', null, 'Access')),
      section(
        'Users',
        users,
        button('Add a user', () => editUser(refresh)),
      ),
      section(
        'Permissions',
        permissions,
        button('Grant', () => grant(refresh)),
      ),
      section(
        'Vhosts',
        vhosts,
        button('Add a vhost', () => addVhost(refresh)),
      ),
      section(
        'Topic permissions',
        topics,
        button('Restrict', () => grantTopic(refresh)),
      ),
    ),
    refresh,
  };
}

/**
 * A user, as the API has one.
 * @typedef {object} UserRow
 * @property {string} name
 * @property {string[]} tags
 * @property {string} password_hash
 * @property {string} hashing_algorithm
 */

/**
 * A permission, or a topic permission, which has an exchange.
 * @typedef {object} PermissionRow
 * @property {string} user
 * @property {string} vhost
 * @property {string} configure
 * @property {string} write
 * @property {string} read
 * @property {string} [exchange]
 */

/** The tags that mean something to the HTTP API; without one, a user has AMQP alone. */
const TAGS = [
  { value: 'administrator', label: 'administrator', help: 'may do everything here' },
  { value: 'monitoring', label: 'monitoring', help: 'sees all connections, nodes and metrics' },
  { value: 'policymaker', label: 'policymaker', help: 'may set policies and parameters' },
  { value: 'management', label: 'management', help: 'sees what its own permissions reach' },
];

/** Patterns that are wanted most. */
const PATTERNS = ['.*', '^$', '^name-.*'];

/** The fields of what a user may do, each a pattern of names. */
const patternFields = (row, fields) =>
  Object.entries(fields).map(([name, help]) => ({
    name,
    label: `${name[0]?.toUpperCase()}${name.slice(1)}`,
    value: row?.[name] ?? '.*',
    suggestions: PATTERNS,
    quoted: true,
    help,
  }));

/**
 * @param {() => Promise<void>} refresh
 * @param {UserRow | null} [user]
 */
export function editUser(refresh, user = null) {
  return form({
    title: user === null ? 'Add a user' : `Change ${user.name}`,
    action: user === null ? 'Add' : 'Change',
    fields: [
      ...(user === null
        ? [{ name: 'name', label: 'Name', required: true, about: /\bname\b/ }]
        : []),
      {
        name: 'password',
        label: 'Password',
        type: 'password',
        about: /password/,
        help:
          user === null
            ? 'Empty: the user cannot log in with a password'
            : 'Empty: the password stays as it is',
      },
      ...(user === null ? [] : [{ name: 'without', label: 'Remove the password', type: 'check' }]),
      {
        name: 'tags',
        label: 'Tags',
        type: 'checks',
        value: user?.tags ?? [],
        options: TAGS,
        about: /tag/,
      },
    ],
    submit: async ({ name = user?.name, password, without = false, tags }) => {
      const login =
        password === '' && user !== null && !without
          ? { password_hash: user.password_hash, hashing_algorithm: user.hashing_algorithm }
          : { password: without ? '' : password };
      await call('PUT', at`/users/${name}`, { ...login, tags: tags.join(',') });
      await refresh();
      return `Saved ${name}`;
    },
  });
}

/** The fields that say whose permission it is: fixed where there is one to change. */
async function whose(row) {
  const users = row ? [row.user] : (await get('/users')).map(({ name }) => name);
  const fixed = { name: 'vhost', label: 'Vhost', type: 'select', options: [row?.vhost] };
  return [
    { name: 'user', label: 'User', type: 'select', options: users },
    row ? fixed : await vhostField(),
  ];
}

/**
 * @param {() => Promise<void>} refresh
 * @param {PermissionRow | null} [row]
 */
async function grant(refresh, row = null) {
  await form({
    title: row === null ? 'Grant a permission' : `Change what ${row.user} may do`,
    about:
      'Regular expressions for names of queues and exchanges: .* is all, ^$ is none, ^billing- is all that begin with "billing-".',
    action: row === null ? 'Grant' : 'Change',
    fields: [
      ...(await whose(row)),
      ...patternFields(row, {
        configure: 'Which ones it may declare and delete',
        write: 'Which exchanges it may publish to, and which ones it may bind to something',
        read: 'Which queues it may consume, get and purge, and which exchanges it may bind from',
      }),
    ],
    submit: async ({ user, vhost, ...body }) => {
      await call('PUT', at`/permissions/${vhost}/${user}`, body);
      await refresh();
      return 'Granted';
    },
  });
}

/**
 * @param {() => Promise<void>} refresh
 * @param {PermissionRow | null} [row]
 */
async function grantTopic(refresh, row = null) {
  await form({
    title: row === null ? 'Restrict routing keys' : `Change the routing keys of ${row.user}`,
    about: 'Regular expressions for routing keys on a topic exchange.',
    action: row === null ? 'Restrict' : 'Change',
    fields: [
      ...(await whose(row)),
      { name: 'exchange', label: 'Exchange', value: row?.exchange ?? 'amq.topic', required: true },
      ...patternFields(row, {
        write: 'Which routing keys it may publish with',
        read: 'Which binding keys it may bind its queues with',
      }),
    ],
    submit: async ({ user, vhost, ...body }) => {
      await call('PUT', at`/topic-permissions/${vhost}/${user}`, body);
      await refresh();
      return 'Restricted';
    },
  });
}

/** The limits that the API has, by its names for them. */
const VHOST_LIMITS = { 'max-connections': 'Connections', 'max-queues': 'Queues' };
const USER_LIMITS = { 'max-connections': 'Connections', 'max-channels': 'Channels' };

/** Sets limits of something: `base` is where the API has those of its kind. */
async function limit(base, name, limits) {
  const set = (await get(`${base}/${encodeURIComponent(name)}`))[0]?.value ?? {};
  await form({
    title: `Limits of ${name}`,
    action: 'Set',
    fields: Object.entries(limits).map(([key, label]) => ({
      name: key,
      label,
      type: 'number',
      value: set[key] === undefined ? '' : String(set[key]),
      help: 'Empty: no limit',
    })),
    submit: async (values) => {
      for (const [key, value] of Object.entries(values)) {
        const path = `${base}/${encodeURIComponent(name)}/${key}`;
        if (value !== null) await call('PUT', path, { value });
        else if (set[key] !== undefined) await call('DELETE', path);
      }
      return `Set the limits of ${name}`;
    },
  });
}

function addVhost(refresh) {
  return form({
    title: 'Add a vhost',
    action: 'Add',
    fields: [
      { name: 'name', label: 'Name', required: true, about: /\bname\b/ },
      { name: 'description', label: 'Description' },
    ],
    submit: async ({ name, description }) => {
      await call('PUT', at`/vhosts/${name}`, { description });
      await refresh();
      return `Added ${name}`;
    },
  });
}

/** In which group of a cluster a vhost is, where that is not the usual one. @param {any} place */
function groupTag(place) {
  if (!place || (place.group === 'main' && place.moving_to === null)) return [];
  const text = place.moving_to === null ? place.group : `${place.group} to ${place.moving_to}`;
  return [' ', tag(text, 'grey')];
}
