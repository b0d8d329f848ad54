// Owns the pages of users, vhosts, permissions and policies.

import { at, call, get } from '../api.js';
import { ask, form } from '../dialog.js';
import { count, h, tag } from '../dom.js';
import { table } from '../table.js';
import { vhostNames } from './queues.js';

const button = (text, act, kind = null) =>
  h('button', { type: 'button', class: kind, onclick: act }, text);

function section(title, rows, add) {
  return h(
    'section',
    { class: 'card flat' },
    h('div', { class: 'bar' }, h('h2', { class: 'grow' }, title), add),
    rows.element,
  );
}

/** A button that deletes something after a question. */
function remover(what, path, refresh, about = 'This cannot be undone.') {
  const act = async () => {
    await call('DELETE', path);
    await refresh();
    return `Deleted ${what}`;
  };
  return button('Delete', () => ask(`Delete ${what}?`, about, 'Delete', act), 'danger');
}

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
          button('Limits', () => limit(row.name)),
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
        cell: (row) =>
          remover(
            `the permission of ${row.user}`,
            at`/permissions/${row.vhost}/${row.user}`,
            refresh,
          ),
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
        cell: (row) =>
          remover(
            `the topic permission of ${row.user} for ${row.exchange}`,
            at`/topic-permissions/${row.vhost}/${row.user}/${row.exchange}`,
            refresh,
            'Routing keys are not restricted any more there.',
          ),
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

async function grant(refresh) {
  const [vhosts, users] = await Promise.all([vhostNames(), get('/users')]);
  await form({
    title: 'Grant a permission',
    about: 'Regular expressions of the names of queues and exchanges; an empty one is none at all.',
    action: 'Grant',
    fields: [
      { name: 'user', label: 'User', type: 'select', options: users.map(({ name }) => name) },
      { name: 'vhost', label: 'Vhost', type: 'select', options: vhosts },
      { name: 'configure', label: 'Configure', value: '.*' },
      { name: 'write', label: 'Write', value: '.*' },
      { name: 'read', label: 'Read', value: '.*' },
    ],
    submit: async ({ user, vhost, ...body }) => {
      await call('PUT', at`/permissions/${vhost}/${user}`, body);
      await refresh();
      return 'Granted';
    },
  });
}

async function grantTopic(refresh) {
  const [vhosts, users] = await Promise.all([vhostNames(), get('/users')]);
  await form({
    title: 'Restrict routing keys',
    about:
      'Regular expressions of the routing keys that a user may publish to, or bind with, on a topic exchange.',
    action: 'Restrict',
    fields: [
      { name: 'user', label: 'User', type: 'select', options: users.map(({ name }) => name) },
      { name: 'vhost', label: 'Vhost', type: 'select', options: vhosts },
      { name: 'exchange', label: 'Exchange', value: 'amq.topic', required: true },
      { name: 'write', label: 'Write', value: '.*' },
      { name: 'read', label: 'Read', value: '.*' },
    ],
    submit: async ({ user, vhost, ...body }) => {
      await call('PUT', at`/topic-permissions/${vhost}/${user}`, body);
      await refresh();
      return 'Restricted';
    },
  });
}

/** The limits of a vhost, by the names that the API has for them. */
const LIMITS = { 'max-connections': 'Connections', 'max-queues': 'Queues' };

async function limit(vhost) {
  const set = (await get(at`/vhost-limits/${vhost}`))[0]?.value ?? {};
  await form({
    title: `Limits of ${vhost}`,
    action: 'Set',
    fields: Object.entries(LIMITS).map(([name, label]) => ({
      name,
      label,
      type: 'number',
      value: set[name] === undefined ? '' : String(set[name]),
      help: 'Empty: no limit',
    })),
    submit: async (values) => {
      for (const [name, value] of Object.entries(values)) {
        const path = at`/vhost-limits/${vhost}/${name}`;
        if (value !== null) await call('PUT', path, { value });
        else if (set[name] !== undefined) await call('DELETE', path);
      }
      return `Set the limits of ${vhost}`;
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

export async function showPolicies() {
  const refresh = async () => {
    policies.show(await get('/policies'));
    operator.show(await get('/operator-policies'));
  };
  const policies = policyTable('policies', 'No policy is set.', refresh);
  const operator = policyTable('operator-policies', 'No operator policy is set.', refresh);
  return {
    element: h(
      'div',
      null,
      h('div', { class: 'head' }, h('h1', null, 'Policies')),
      section(
        'Policies',
        policies,
        button('Add a policy', () => addPolicy('policies', refresh)),
      ),
      section(
        'Operator policies',
        operator,
        button('Add one', () => addPolicy('operator-policies', refresh)),
      ),
    ),
    refresh,
  };
}

function policyTable(kind, empty, refresh) {
  return table({
    caption: kind,
    empty,
    columns: [
      { title: 'Name', name: true, cell: (row) => row.name },
      { title: 'Vhost', cell: (row) => row.vhost },
      { title: 'Pattern', cell: (row) => h('code', { class: 'mono' }, row.pattern) },
      { title: 'Applies to', cell: (row) => row['apply-to'] },
      {
        title: 'Definition',
        cell: (row) =>
          Object.entries(row.definition).map(([key, value]) =>
            h('div', { class: 'mono' }, `${key} = ${JSON.stringify(value)}`),
          ),
      },
      { title: 'Priority', num: true, cell: (row) => row.priority },
      {
        title: '',
        num: true,
        cell: (row) => remover(row.name, at`/${kind}/${row.vhost}/${row.name}`, refresh),
      },
    ],
  });
}

async function addPolicy(kind, refresh) {
  const vhosts = await vhostNames();
  await form({
    title: 'Add a policy',
    action: 'Add',
    fields: [
      { name: 'vhost', label: 'Vhost', type: 'select', options: vhosts },
      { name: 'name', label: 'Name', required: true },
      {
        name: 'pattern',
        label: 'Pattern',
        help: 'A regular expression of names; empty matches all',
      },
      {
        name: 'apply-to',
        label: 'Applies to',
        type: 'select',
        options:
          kind === 'policies'
            ? ['queues', 'classic_queues', 'quorum_queues', 'exchanges', 'all']
            : ['queues', 'classic_queues', 'quorum_queues'],
      },
      {
        name: 'definition',
        label: 'Definition (JSON)',
        type: 'area',
        placeholder: '{"max-length": 100000, "dead-letter-exchange": "dead"}',
      },
      { name: 'priority', label: 'Priority', type: 'number', value: '0' },
    ],
    submit: async ({ vhost, name, ...body }) => {
      await call('PUT', at`/${kind}/${vhost}/${name}`, body);
      await refresh();
      return `Added ${name}`;
    },
  });
}
