// Owns the pages of exchanges: all of them, and one with its bindings.

import { at, call, get } from '../api.js';
import { ask, form } from '../dialog.js';
import { count, facts, h, link, pathOf, rate, tag } from '../dom.js';
import { list } from '../list.js';
import { update } from '../morph.js';
import { argumentsField, reference } from '../parts/arguments.js';
import { bindingArguments, namesIn, unbind } from '../parts/bindings.js';
import { listPage } from '../parts/page.js';
import { publishTo } from '../parts/queue/actions.js';
import { vhostField } from '../parts/vhosts.js';
import { table } from '../table.js';

const shown = (name) => (name === '' ? '(default exchange)' : name);
const pathTo = (vhost, name) => pathOf('exchange', vhost, name === '' ? 'amq.default' : name);

export async function showAll() {
  const rows = list({
    path: '/exchanges',
    pathIn: (vhost) => at`/exchanges/${vhost}`,
    caption: 'Exchanges',
    empty: 'There is no exchange.',
    key: (row) => `${row.vhost}/${row.name}`,
    sort: 'name',
    columns: [
      {
        title: 'Name',
        sort: 'name',
        name: true,
        fixed: true,
        cell: (row) => link(pathTo(row.vhost, row.name), shown(row.name)),
      },
      { title: 'Vhost', sort: 'vhost', wide: true, cell: (row) => row.vhost },
      { title: 'Type', sort: 'type', cell: (row) => row.type },
      {
        title: '',
        wide: true,
        cell: (row) => [
          row.durable ? null : tag('transient', 'grey'),
          row.internal ? tag('internal', 'grey') : null,
          row.auto_delete ? tag('auto-delete', 'grey') : null,
          row.policy ? tag(row.policy) : null,
        ],
      },
      {
        title: 'In',
        num: true,
        sort: 'message_stats.publish_in_details.rate',
        cell: (row) => rate(row.message_stats?.publish_in_details?.rate ?? 0),
      },
      {
        title: 'Out',
        num: true,
        sort: 'message_stats.publish_out_details.rate',
        cell: (row) => rate(row.message_stats?.publish_out_details?.rate ?? 0),
      },
    ],
  });
  return listPage('Exchanges', rows, 'Declare an exchange', declare);
}

async function declare(refresh) {
  const [vhost, { exchange_types: types, exchange_arguments: known }] = await Promise.all([
    vhostField(),
    reference(),
  ]);
  await form({
    title: 'Declare an exchange',
    action: 'Declare',
    fields: [
      vhost,
      { name: 'name', label: 'Name', required: true, about: /\bname\b/ },
      {
        name: 'type',
        label: 'Type',
        type: 'select',
        options: types.map(({ name }) => name),
        help: ({ type }) => plain(types.find(({ name }) => name === type)),
      },
      { name: 'durable', label: 'Durable: it survives a restart', type: 'check', value: true },
      {
        name: 'auto_delete',
        label: 'Auto-delete: it is deleted with its last binding',
        type: 'check',
      },
      { name: 'internal', label: 'Internal: clients cannot publish to it', type: 'check' },
      {
        name: 'arguments',
        label: 'Arguments',
        widget: argumentsField({
          word: 'an argument',
          known: ({ type = '' }) =>
            known.filter(({ only_for: only }) => only === null || only.includes(type)),
        }),
      },
    ],
    submit: async ({ vhost, name, ...body }) => {
      await call('PUT', at`/exchanges/${vhost}/${name}`, body);
      await refresh();
      return `Declared ${name}`;
    },
  });
}

/** What a type does with a message, and what its binding keys mean. */
const plain = (type) =>
  type === undefined ? '' : `${type.about} Binding key: ${type.binding_key}.`.replaceAll('`', '');

export async function showOne([vhost, given]) {
  const name = given === 'amq.default' ? '' : given;
  const path = at`/exchanges/${vhost}/${given}`;
  const about = h('section', { class: 'card' });
  const out = table({
    caption: 'Where its messages go',
    empty:
      'Nothing is bound to this exchange: its messages are dropped, unless it has an alternate exchange.',
    columns: [
      {
        title: 'To',
        name: true,
        cell: (row) =>
          row.destination_type === 'queue'
            ? link(pathOf('queue', vhost, row.destination), row.destination)
            : link(pathTo(vhost, row.destination), row.destination),
      },
      { title: '', cell: (row) => tag(row.destination_type, 'grey') },
      { title: 'Binding key', name: true, cell: (row) => row.routing_key },
      {
        title: 'Arguments',
        wide: true,
        cell: (row) =>
          Object.keys(row.arguments).length === 0 ? '' : JSON.stringify(row.arguments),
      },
      {
        title: '',
        num: true,
        cell: (row) =>
          row.source === ''
            ? null
            : h(
                'button',
                {
                  type: 'button',
                  class: 'danger',
                  onclick: () => unbind(vhost, row).then(refresh),
                },
                'Unbind',
              ),
      },
    ],
  });
  const from = table({
    caption: 'Where its messages come from',
    empty: 'No exchange leads here: only clients publish to it.',
    columns: [
      {
        title: 'From',
        name: true,
        cell: (row) => link(pathTo(vhost, row.source), shown(row.source)),
      },
      { title: 'Binding key', name: true, cell: (row) => row.routing_key },
    ],
  });
  const refresh = async () => {
    const exchange = await get(path);
    const stats = exchange.message_stats ?? {};
    update(
      about,
      facts([
        ['Type', exchange.type],
        [
          'Kind',
          [
            exchange.durable ? 'durable' : 'transient',
            exchange.internal ? ', internal' : '',
            exchange.auto_delete ? ', auto-delete' : '',
          ],
        ],
        [
          'Published',
          `${count(stats.publish_in ?? 0)} in, ${count(stats.publish_out ?? 0)} to queues`,
        ],
        Object.keys(exchange.arguments).length > 0
          ? ['Arguments', h('code', { class: 'mono' }, JSON.stringify(exchange.arguments))]
          : null,
        exchange.policy ? ['Policy', tag(exchange.policy)] : null,
      ]),
    );
    out.show(await get(`${path}/bindings/source`));
    from.show(await get(`${path}/bindings/destination`));
  };
  const remove = () =>
    ask(
      `Delete ${name}?`,
      'It is lost with its bindings. Clients that publish to it will fail.',
      'Delete',
      async () => {
        await call('DELETE', path);
        location.hash = '#/exchanges';
        return `Deleted ${name}`;
      },
    );
  return {
    element: h(
      'div',
      null,
      h(
        'div',
        { class: 'head' },
        h('h1', null, shown(name)),
        tag(vhost, 'grey'),
        h(
          'button',
          {
            type: 'button',
            onclick: () => publishTo({ vhost, exchange: given, key: '' }, refresh),
          },
          'Publish',
        ),
        name === ''
          ? null
          : h('button', { type: 'button', onclick: () => bind(vhost, name, refresh) }, 'Bind'),
        name === '' || name.startsWith('amq.')
          ? null
          : h('button', { type: 'button', class: 'danger', onclick: remove }, 'Delete'),
      ),
      about,
      h('section', { class: 'card flat' }, h('h2', null, 'Where its messages go'), out.element),
      h(
        'section',
        { class: 'card flat' },
        h('h2', null, 'Where its messages come from'),
        from.element,
      ),
    ),
    refresh,
  };
}

async function bind(vhost, name, refresh) {
  const [{ type }, { binding_arguments: known }] = await Promise.all([
    get(at`/exchanges/${vhost}/${name}`),
    reference(),
  ]);
  await form({
    title: `Bind to ${name}`,
    action: 'Bind',
    fields: [
      { name: 'kind', label: 'What', type: 'select', options: ['queue', 'exchange'] },
      {
        name: 'destination',
        label: 'Its name',
        required: true,
        about: /no (queue|exchange) /,
        suggestions: await namesIn('queues', vhost),
      },
      { name: 'routing_key', label: 'Binding key', about: /routing.key|binding.key/ },
      bindingArguments(type, known),
    ],
    submit: async ({ kind, destination, ...body }) => {
      const to = kind === 'queue' ? 'q' : 'e';
      await call('POST', at`/bindings/${vhost}/e/${name}/${to}/${destination}`, body);
      await refresh();
      return `Bound ${destination}`;
    },
  });
}
