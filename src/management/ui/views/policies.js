// Owns the page of policies and operator policies.

import { at, call, get } from '../api.js';
import { form } from '../dialog.js';
import { h } from '../dom.js';
import { table } from '../table.js';
import { button, remover, section } from './parts.js';
import { vhostNames } from './queues.js';

export async function show() {
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
        button('Add a policy', () => setPolicy('policies', refresh)),
      ),
      section(
        'Operator policies',
        operator,
        button('Add one', () => setPolicy('operator-policies', refresh)),
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
        cell: (row) => [
          button('Change', () => setPolicy(kind, refresh, row)),
          ' ',
          remover(row.name, at`/${kind}/${row.vhost}/${row.name}`, refresh),
        ],
      },
    ],
  });
}

async function setPolicy(kind, refresh, row = null) {
  const all = kind === 'policies';
  const named = row
    ? [
        { name: 'vhost', label: 'Vhost', type: 'select', options: [row.vhost] },
        { name: 'name', label: 'Name', type: 'select', options: [row.name] },
      ]
    : [
        { name: 'vhost', label: 'Vhost', type: 'select', options: await vhostNames() },
        { name: 'name', label: 'Name', required: true },
      ];
  await form({
    title: row === null ? 'Add a policy' : `Change ${row.name}`,
    action: row === null ? 'Add' : 'Change',
    fields: [
      ...named,
      {
        name: 'pattern',
        label: 'Pattern',
        value: row?.pattern ?? '',
        help: 'A regular expression of names; empty matches all',
      },
      {
        name: 'apply-to',
        label: 'Applies to',
        type: 'select',
        value: row?.['apply-to'],
        options: [
          ...['queues', 'classic_queues', 'quorum_queues'],
          ...(all ? ['exchanges', 'all'] : []),
        ],
      },
      {
        name: 'definition',
        label: 'Definition (JSON)',
        type: 'area',
        value: row === null ? '' : JSON.stringify(row.definition, null, 1),
        placeholder: '{"max-length": 100000, "dead-letter-exchange": "dead"}',
      },
      { name: 'priority', label: 'Priority', type: 'number', value: String(row?.priority ?? 0) },
    ],
    submit: async ({ vhost, name, ...body }) => {
      await call('PUT', at`/${kind}/${vhost}/${name}`, body);
      await refresh();
      return `Saved ${name}`;
    },
  });
}
