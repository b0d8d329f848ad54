// Owns the page where definitions are saved to a file and brought in from one.

import { at, call, get } from '../api.js';
import { h, toast } from '../dom.js';
import { vhostNames } from './queues.js';

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
    error.hidden = true;
    try {
      await call('POST', path(to.value), await file.files[0].text());
      toast('Brought in');
    } catch (failure) {
      error.textContent = failure.message;
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
        h('h2', null, 'Save'),
        h(
          'p',
          { class: 'quiet' },
          'Users, vhosts, permissions, policies, exchanges, queues and bindings as JSON, which RabbitMQ reads too. Messages are not in it.',
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
            'Save to a file',
          ),
        ),
      ),
      h(
        'form',
        { class: 'card', onsubmit: load },
        h('h2', null, 'Bring in'),
        h(
          'p',
          { class: 'quiet' },
          'All of a file is taken, or nothing of it. What is there and not in the file stays.',
        ),
        error,
        h(
          'div',
          { class: 'bar' },
          file,
          to,
          h('button', { type: 'submit', class: 'main' }, 'Bring in'),
        ),
      ),
    ),
  };
}
