// Owns the page of one user: its tags, what it may do, and its connections.

import { at, get } from '../../api.js';
import { count, facts, h, tag } from '../../dom.js';
import { update } from '../../morph.js';
import { button, remover } from '../../parts/page.js';
import { connectionLink } from '../../parts/peer.js';
import { table } from '../../table.js';
import { editUser } from './access.js';

export async function show([name]) {
  const path = at`/users/${name}`;
  const about = h('section', { class: 'card' });
  const acts = h('span', { class: 'acts' });
  const permissions = table({
    caption: 'Permissions',
    empty: 'This user may do nothing in any vhost.',
    columns: [
      { title: 'Vhost', name: true, cell: (row) => row.vhost },
      { title: 'Configure', cell: (row) => h('code', { class: 'mono' }, row.configure) },
      { title: 'Write', cell: (row) => h('code', { class: 'mono' }, row.write) },
      { title: 'Read', cell: (row) => h('code', { class: 'mono' }, row.read) },
    ],
  });
  const connections = table({
    caption: 'Connections',
    empty: 'This user has no connection.',
    columns: [
      { title: 'Name', name: true, cell: (row) => connectionLink(row) },
      { title: 'Vhost', cell: (row) => row.vhost },
      { title: 'State', cell: (row) => tag(row.state, row.state === 'running' ? '' : 'warn') },
      { title: 'Channels', num: true, cell: (row) => count(row.channels) },
    ],
  });
  const refresh = async () => {
    const user = await get(path);
    const [limits] = await get(at`/user-limits/${name}`);
    update(
      acts,
      button('Change', () => editUser(refresh, user)),
      remover(name, path, refresh, 'Its connections are closed.'),
    );
    update(
      about,
      facts([
        ['Tags', user.tags.length === 0 ? 'none: AMQP alone' : user.tags.map((each) => tag(each))],
        ['Login', user.password_hash === '' ? 'no password' : 'with a password'],
        ['Limits', limitsText(limits?.value)],
      ]),
    );
    permissions.show(await get(`${path}/permissions`));
    connections.show(await get(at`/connections/username/${name}`));
  };
  return {
    element: h(
      'div',
      null,
      h('div', { class: 'head' }, h('h1', null, `User ${name}`), acts),
      about,
      h('section', { class: 'card flat' }, h('h2', null, 'Permissions'), permissions.element),
      h('section', { class: 'card flat' }, h('h2', null, 'Connections'), connections.element),
    ),
    refresh,
  };
}

/** Limits in a few words. */
export function limitsText(value = {}) {
  const all = Object.entries(value).map(([key, max]) => `${key.replace('max-', '')} ${count(max)}`);
  return all.length === 0 ? 'none' : all.join(', ');
}
