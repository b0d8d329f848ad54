// Owns the page of one vhost: what is in it, and which users may do what there.

import { at, get } from '../../api.js';
import { count, facts, h, link } from '../../dom.js';
import { update } from '../../morph.js';
import { remover } from '../../parts/page.js';
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
    update(
      acts,
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
