// Owns the page where definitions are saved to a file and brought in from one.

import { ApiError, at, call, get } from '../../api.js';
import { h, messageOf, replace, toast } from '../../dom.js';
import { vhostNames } from '../../parts/vhosts.js';

export async function show() {
  const vhosts = await vhostNames();
  const chooser = () =>
    h(
      'select',
      { 'aria-label': 'Vhost' },
      h('option', { value: '' }, 'the whole broker'),
      vhosts.map((name) => h('option', { value: name }, name)),
    );
  const from = chooser();
  const to = chooser();
  const file = h('input', {
    type: 'file',
    accept: 'application/json,.json',
    'aria-label': 'A file of definitions',
    required: true,
  });
  const skip = h('input', { type: 'checkbox' });
  const left = h('ul', { class: 'quiet', hidden: true });
  const error = h('p', { class: 'error', role: 'alert', hidden: true });
  const path = (vhost) => (vhost === '' ? '/definitions' : at`/definitions/${vhost}`);
  const save = async () => {
    const json = await get(path(from.value));
    const url = URL.createObjectURL(
      new Blob([JSON.stringify(json, null, 2)], { type: 'application/json' }),
    );
    const day = new Date().toISOString().slice(0, 10);
    h('a', { href: url, download: `leveret-${day}.json` }).click();
    URL.revokeObjectURL(url);
  };
  const load = async (event) => {
    event.preventDefault();
    const chosen = file.files?.[0];
    if (chosen === undefined) return;
    error.hidden = true;
    left.hidden = true;
    try {
      const query = `?report=true&skip_unsupported=${skip.checked}`;
      const { warnings } = await call('POST', path(to.value) + query, await chosen.text());
      replace(left, ...warnings.map((/** @type {string} */ each) => h('li', null, each)));
      left.hidden = warnings.length === 0;
      toast('Imported');
    } catch (failure) {
      const refused = failure instanceof ApiError && failure.status === 400;
      error.textContent = `${messageOf(failure)}${refused ? `: correct ${chosen.name}` : ''}`;
      error.hidden = false;
    }
  };
  return {
    element: h(
      'div',
      null,
      h('div', { class: 'head' }, h('h1', null, 'Definitions')),
      h(
        'section',
        { class: 'card' },
        h('h2', null, 'Export'),
        h(
          'p',
          { class: 'quiet' },
          'Users, vhosts, permissions, policies, exchanges, queues and bindings as JSON, which RabbitMQ reads, too. Messages are not included.',
        ),
        h(
          'div',
          { class: 'bar' },
          from,
          h(
            'button',
            {
              type: 'button',
              class: 'main',
              onclick: () => save().catch((failure) => toast(failure.message, true)),
            },
            'Export to a file',
          ),
        ),
      ),
      h(
        'form',
        { class: 'card', onsubmit: load },
        h('h2', null, 'Import'),
        h(
          'p',
          { class: 'quiet' },
          'All of the file is imported, or nothing. What exists and is not in the file stays.',
        ),
        error,
        h(
          'div',
          { class: 'bar' },
          file,
          to,
          h('label', null, skip, ' Skip unsupported items'),
          h('button', { type: 'submit', class: 'main' }, 'Import'),
        ),
        left,
      ),
    ),
  };
}
