// Owns the page of one vhost: what is in it, and which users may do what there.

import { at, call, get } from '../../api.js';
import { form } from '../../dialog.js';
import { count, facts, h, link, tag } from '../../dom.js';
import { update } from '../../morph.js';
import { button, remover } from '../../parts/page.js';
import { table } from '../../table.js';
import { limitsText } from './user.js';

export async function show([name]) {
  const path = at`/vhosts/${name}`;
  const about = h('section', { class: 'card' });
  const acts = h('span', { class: 'acts' });
  const permissions = table({
    caption: 'Permissions',
    empty: 'No user has a permission here.',
    columns: [
      {
        title: 'User',
        name: true,
        cell: (row) => link(at`/user/${row.user}`, row.user),
      },
      { title: 'Configure', cell: (row) => h('code', { class: 'mono' }, row.configure) },
      { title: 'Write', cell: (row) => h('code', { class: 'mono' }, row.write) },
      { title: 'Read', cell: (row) => h('code', { class: 'mono' }, row.read) },
    ],
  });
  const refresh = async () => {
    const vhost = await get(path);
    const [limits] = await get(at`/vhost-limits/${name}`);
    // Where there is one group alone, there is nowhere to move to.
    const { groups } = vhost.leveret ? await get('/cluster') : { groups: [] };
    const movable = groups.length > 1 || vhost.leveret?.moving_to;
    update(
      acts,
      ...(movable ? [button('Move', () => move(name, vhost.leveret, refresh)), ' '] : []),
      remover(
        name,
        path,
        refresh,
        'All queues, exchanges and messages in it are lost, and its connections are closed.',
      ),
    );
    update(
      about,
      facts([
        vhost.description ? ['Description', vhost.description] : null,
        [
          'Messages',
          `${count(vhost.messages_ready)} ready, ${count(vhost.messages_unacknowledged)} unacked`,
        ],
        [
          'Default queue type',
          vhost.default_queue_type || 'classic, unless a client says otherwise',
        ],
        ['Tracing', vhost.tracing ? 'on' : 'off'],
        vhost.leveret ? ['Group', groupOf(vhost.leveret)] : null,
        ['Limits', limitsText(limits?.value)],
        [
          'Look at',
          [
            link(`/queues?vhost=${encodeURIComponent(name)}`, 'its queues'),
            ', ',
            link(`/exchanges?vhost=${encodeURIComponent(name)}`, 'its exchanges'),
            ', ',
            link(at`/topology/${name}`, 'its topology'),
          ],
        ],
      ]),
    );
    permissions.show(await get(`${path}/permissions`));
  };
  return {
    element: h(
      'div',
      null,
      h('div', { class: 'head' }, h('h1', null, `Vhost ${name}`), acts),
      about,
      h('section', { class: 'card flat' }, h('h2', null, 'Permissions'), permissions.element),
    ),
    refresh,
  };
}

/** Where in a cluster a vhost is. @param {any} place */
function groupOf({ group, moving_to: to, move_fault: fault }) {
  if (to !== null) return [group, ' ', tag(`on its way to ${to}`, 'warn')];
  return fault === null ? group : [group, ' ', tag(`it could not be moved: ${fault}`, 'bad')];
}

/** @param {string} name @param {any} place @param {() => Promise<void>} refresh */
async function move(name, { group, moving_to: to }, refresh) {
  const { groups } = await get('/cluster');
  return form({
    title: `Move ${name}`,
    about:
      to === null
        ? 'Its connections are closed, and it serves no client until it is there with all that is in it.'
        : `It is on its way to ${to}. To call that off, choose ${group}.`,
    action: 'Move',
    fields: [
      {
        name: 'group',
        label: 'Group',
        type: 'select',
        value: to ?? group,
        options: groups.map((/** @type {{ name: string }} */ each) => each.name),
        about: /group/,
      },
    ],
    submit: async (values) => {
      await call('PUT', at`/cluster/vhosts/${name}`, values);
      await refresh();
      return values.group === group ? `It stays in ${group}` : `It moves to ${values.group}`;
    },
  });
}
