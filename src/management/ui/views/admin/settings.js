// Owns the page of settings: what holds, where it came from, and changing what can change while the broker runs.

import { at, call, get } from '../../api.js';
import { form } from '../../dialog.js';
import { h, messageOf, replace, tag, toast } from '../../dom.js';
import { button } from '../../parts/page.js';
import { table } from '../../table.js';

const LASTS =
  'A change holds until it is unset or the broker restarts. Write it into a config file to keep it.';

export async function show() {
  const search = h('input', {
    type: 'search',
    placeholder: 'Filter by name',
    'aria-label': 'Filter by name',
    oninput: () => draw(),
  });
  const only = h('input', { type: 'checkbox', onchange: () => draw() });
  const rows = settingTable(() => refresh());
  const note = h('p', { class: 'quiet', role: 'status' });
  /** @type {any[]} */
  let all = [];
  const draw = () => {
    const wanted = all.filter(
      ({ name, origin }) =>
        name.includes(search.value.trim()) && (!only.checked || origin !== 'default'),
    );
    rows.show(wanted);
    replace(note, `${wanted.length} of ${all.length} settings`);
  };
  const refresh = async () => {
    all = await get('/settings');
    draw();
  };
  return {
    element: h(
      'div',
      null,
      h('div', { class: 'head' }, h('h1', null, 'Settings')),
      h(
        'p',
        { class: 'quiet' },
        'The settings in use, and where each value came from. Some can be changed while the broker runs. ',
        LASTS,
      ),
      h(
        'div',
        { class: 'bar' },
        search,
        h('label', null, only, ' Only those that are not the default'),
      ),
      note,
      h('section', { class: 'card flat' }, rows.element),
    ),
    refresh,
  };
}

function settingTable(again) {
  return table({
    caption: 'Settings',
    stack: true,
    empty: 'No setting has such a name.',
    key: ({ name }) => name,
    columns: [
      {
        title: 'Name',
        name: true,
        cell: ({ name, about }) => [
          h('code', { class: 'mono' }, name),
          h('div', { class: 'quiet small' }, about.replaceAll('`', '')),
        ],
      },
      { title: 'Value', name: true, cell: ({ value }) => h('code', { class: 'mono' }, value) },
      {
        title: 'Came from',
        name: true,
        cell: ({ origin, set }) =>
          set === null ? origin : [tag('set while running', 'warn'), ' ', origin],
      },
      { title: 'A change holds', cell: ({ changes }) => changes ?? 'after a restart' },
      {
        title: '',
        num: true,
        cell: (row) => [
          row.changes === null ? null : button('Change', () => change(row, again)),
          ' ',
          row.set === null ? null : button('Unset', () => unset(row, again)),
        ],
      },
    ],
  });
}

function change({ name, value, expects, changes, default: usual }, again) {
  return form({
    title: `Change ${name}`,
    about: `Expects ${expects}. The default is ${usual}. A change holds ${changes}. ${LASTS}`,
    fields: [{ name: 'value', label: 'Value', value, required: true }],
    action: 'Change',
    submit: async ({ value: wanted }) => {
      const now = await call('PUT', at`/settings/${name}`, { value: wanted });
      await again();
      return `${name} = ${now.value}`;
    },
  });
}

async function unset({ name }, again) {
  try {
    const now = await call('DELETE', at`/settings/${name}`);
    await again();
    toast(`${name} = ${now.value}`);
  } catch (failure) {
    toast(messageOf(failure), true);
  }
}
