// Owns the page of users, vhosts and permissions.

import { at, call, get } from '../api.js';
import { form } from '../dialog.js';
import { count, h, tag } from '../dom.js';
import { table } from '../table.js';
import { button, remover, section } from './parts.js';
import { vhostNames } from './queues.js';

export async function show() {
  const refresh = async () => {
    users.show(await get('/users'));
    vhosts.show(await get('/vhosts'));
    permissions.show(await get('/permissions'));
    topics.show(await get('/topic-permissions'));
  };
  const users = table({
    caption: 'Users',
    empty: 'There is no user.',
    columns: [
      { title: 'Name', name: true, cell: (row) => row.name },
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
    empty: 'There is no vhost.',
    columns: [
      {
        title: 'Name',
        name: true,
        cell: (row) => [
          row.name,
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
    empty: 'Nobody may do anything: grant a permission.',
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

function editUser(refresh, user = null) {
  return form({
    title: user === null ? 'Add a user' : `Change ${user.name}`,
    action: user === null ? 'Add' : 'Change',
    fields: [
      ...(user === null ? [{ name: 'name', label: 'Name', required: true }] : []),
      {
        name: 'password',
        label: 'Password',
        type: 'password',
        help:
          user === null
            ? 'Empty: the user cannot log in with a password'
            : 'Empty: the password stays as it is',
      },
      ...(user === null
        ? []
        : [{ name: 'without', label: 'Take the password away', type: 'check' }]),
      {
        name: 'tags',
        label: 'Tags',
        value: user?.tags.join(', ') ?? '',
        help: 'administrator, monitoring, policymaker, management; none: AMQP alone',
      },
    ],
    submit: async ({ name = user?.name, password, without = false, tags }) => {
      const login =
        password === '' && user !== null && !without
          ? { password_hash: user.password_hash, hashing_algorithm: user.hashing_algorithm }
          : { password: without ? '' : password };
      await call('PUT', at`/users/${name}`, { ...login, tags });
      await refresh();
      return `Saved ${name}`;
    },
  });
}

/** The fields that say whose permission it is: fixed where there is one to change. */
async function whose(row) {
  const [vhosts, users] = row
    ? [[row.vhost], [row.user]]
    : [await vhostNames(), (await get('/users')).map(({ name }) => name)];
  return [
    { name: 'user', label: 'User', type: 'select', options: users },
    { name: 'vhost', label: 'Vhost', type: 'select', options: vhosts },
  ];
}

async function grant(refresh, row = null) {
  await form({
    title: row === null ? 'Grant a permission' : `Change what ${row.user} may do`,
    about: 'Regular expressions of the names of queues and exchanges; an empty one is none at all.',
    action: row === null ? 'Grant' : 'Change',
    fields: [
      ...(await whose(row)),
      { name: 'configure', label: 'Configure', value: row?.configure ?? '.*' },
      { name: 'write', label: 'Write', value: row?.write ?? '.*' },
      { name: 'read', label: 'Read', value: row?.read ?? '.*' },
    ],
    submit: async ({ user, vhost, ...body }) => {
      await call('PUT', at`/permissions/${vhost}/${user}`, body);
      await refresh();
      return 'Granted';
    },
  });
}

async function grantTopic(refresh, row = null) {
  await form({
    title: row === null ? 'Restrict routing keys' : `Change the routing keys of ${row.user}`,
    about:
      'Regular expressions of the routing keys that a user may publish to, or bind with, on a topic exchange.',
    action: row === null ? 'Restrict' : 'Change',
    fields: [
      ...(await whose(row)),
      { name: 'exchange', label: 'Exchange', value: row?.exchange ?? 'amq.topic', required: true },
      { name: 'write', label: 'Write', value: row?.write ?? '.*' },
      { name: 'read', label: 'Read', value: row?.read ?? '.*' },
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
      { name: 'name', label: 'Name', required: true },
      { name: 'description', label: 'Description' },
    ],
    submit: async ({ name, description }) => {
      await call('PUT', at`/vhosts/${name}`, { description });
      await refresh();
      return `Added ${name}`;
    },
  });
}
