// Owns the page of policies and operator policies.

import { at, call, get } from '../../api.js';
import { form } from '../../dialog.js';
import { h } from '../../dom.js';
import { chosenVhost } from '../../frame/vhost.js';
import { argumentsField, reference } from '../../parts/arguments.js';
import { button, remover, section } from '../../parts/page.js';
import { nameFields } from '../../parts/vhosts.js';
import { table } from '../../table.js';

export async function show() {
  const chosen = chosenVhost();
  const vhost = chosen === '' ? '' : at`/${chosen}`;
  const refresh = async () => {
    policies.show(await get(`/policies${vhost}`));
    operator.show(await get(`/operator-policies${vhost}`));
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
        button('Add an operator policy', () => setPolicy('operator-policies', refresh)),
      ),
    ),
    refresh,
  };
}

function policyTable(kind, empty, refresh) {
  return table({
    caption: kind,
    stack: true,
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

/** Whether a key can be set in a policy that applies to such things: a row of `policy_targets`, or null for any. */
function fits({ operator, applies_to: applies, only_for: only }, target, all) {
  if (!all && !operator) return false;
  if (target === null || target.name === 'all') return true;
  if (target.name === 'exchanges') return applies === 'exchanges';
  if (applies === 'exchanges') return false;
  return target.queue_type === null || only === null || only.includes(target.queue_type);
}

/**
 * A policy, as the API has one.
 * @typedef {object} PolicyRow
 * @property {string} vhost
 * @property {string} name
 * @property {string} pattern
 * @property {string} apply-to
 * @property {Record<string, unknown>} definition
 * @property {number} priority
 */

/**
 * @param {string} kind `policies` or `operator-policies`
 * @param {() => Promise<void>} refresh
 * @param {PolicyRow | null} [row]
 */
async function setPolicy(kind, refresh, row = null) {
  const all = kind === 'policies';
  const { policy_keys: keys, policy_targets: targets } = await reference();
  const target = (name) => targets.find((each) => each.name === name) ?? null;
  await form({
    title: row === null ? 'Add a policy' : `Change ${row.name}`,
    action: row === null ? 'Add' : 'Change',
    fields: [
      ...(await nameFields(row)),
      {
        name: 'pattern',
        label: 'Pattern',
        value: row?.pattern ?? '',
        about: /pattern|regular|regex/i,
        help: 'A regular expression for names, such as ^orders\\. for all that begin with "orders."; empty: all',
      },
      {
        name: 'apply-to',
        label: 'Applies to',
        type: 'select',
        value: row?.['apply-to'],
        // Operator policies have no key for exchanges.
        options: targets
          .filter((each) => keys.some((key) => fits(key, each, all)))
          .map(({ name }) => name),
      },
      {
        name: 'definition',
        label: 'Definition',
        widget: argumentsField({
          word: 'a key',
          value: row?.definition,
          known: ({ 'apply-to': to = '' }) => keys.filter((key) => fits(key, target(to), all)),
        }),
      },
      {
        name: 'priority',
        label: 'Priority',
        type: 'number',
        value: String(row?.priority ?? 0),
        about: /priority/,
        help: 'Of all policies that match, the one with the highest priority holds',
      },
    ],
    submit: async ({ vhost, name, priority, ...body }) => {
      await call('PUT', at`/${kind}/${vhost}/${name}`, { ...body, priority: priority ?? 0 });
      await refresh();
      return `Saved ${name}`;
    },
  });
}
