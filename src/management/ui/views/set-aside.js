// Owns what the pages show of what is set aside, and what can be done with it: try again, export, drop.

import { at, call, get } from '../api.js';
import { ask } from '../dialog.js';
import { bytes, count, h, link, many, messageOf, moment, pathOf, replace, tag } from '../dom.js';
import { chosenVhost } from '../frame/vhost.js';
import { update } from '../morph.js';
import { button } from '../parts/page.js';
import { table } from '../table.js';

/** So many rows are shown on a page. */
const SHOWN_MAX = 200;

/** The page of all that is set aside, in the vhosts that the user may see. */
export async function show() {
  const note = h('p', { class: 'quiet' });
  const rows = asideTable(() => refresh());
  const refresh = async () => {
    const chosen = chosenVhost();
    const vhost = chosen === '' ? '' : at`/${chosen}`;
    const page = `?page=1&page_size=${SHOWN_MAX}`;
    const { items, total_count: all } = await get(`/set-aside${vhost}${page}`);
    rows.show(items);
    note.textContent =
      all > items.length ? `The first ${count(items.length)} of ${count(all)} are shown.` : '';
  };
  return {
    element: h(
      'div',
      null,
      h('div', { class: 'head' }, h('h1', null, 'Set aside')),
      h(
        'p',
        null,
        'Messages that could not be looked at, and definitions that could not be read at the start. They stay on the disk until an operator decides.',
      ),
      note,
      h('section', { class: 'card flat' }, rows.element),
    ),
    refresh,
  };
}

/** The section of one queue: its messages that are set aside, and nothing where none are. */
export function sectionOf(vhost, name) {
  const path = at`/queues/${vhost}/${name}/set-aside`;
  const rows = asideTable(() => refresh());
  const bar = h('div', { class: 'bar' });
  const element = h('section', { class: 'card flat', hidden: true }, bar, rows.element);
  const refresh = async () => {
    // A user without the right to read the queue sees no messages of it.
    const { items, total_count: all } = await get(`${path}?page=1&page_size=${SHOWN_MAX}`).catch(
      () => ({ items: [], total_count: 0 }),
    );
    element.hidden = items.length === 0;
    rows.show(items);
    update(
      bar,
      h('h2', { class: 'grow' }, `Set aside: ${many(all, 'message')}`),
      button('Try all again', () => retry(path, 'all', refresh)),
      button('Drop all', () => drop(path, 'all', 'all of them', refresh), 'danger'),
    );
  };
  return { element, refresh };
}

/** Says on the overview that something is set aside, for as long as it is. */
export function banner({ messages = 0, definitions = 0 } = {}) {
  if (messages + definitions === 0) return null;
  const what = [
    messages > 0 ? many(messages, 'message') : null,
    definitions > 0 ? many(definitions, 'definition') : null,
  ].filter((each) => each !== null);
  return h(
    'div',
    { class: 'banner', role: 'alert' },
    `Set aside and not served: ${what.join(' and ')}. `,
    link('/set-aside', 'Look at what it is'),
  );
}

function asideTable(again) {
  return table({
    caption: 'Set aside',
    empty: 'Nothing is set aside.',
    key: ({ kind, vhost, name, id }) => [kind, vhost, name, id].join(' '),
    columns: [
      {
        title: 'What',
        cell: ({ kind, id }) => [tag(kind, 'grey'), kind === 'message' ? ` ${id}` : null],
      },
      { title: 'Vhost', wide: true, cell: ({ vhost }) => vhost ?? '' },
      {
        title: 'Name',
        name: true,
        cell: ({ kind, vhost, name }) =>
          kind === 'message' ? link(pathOf('queue', vhost, name), name) : name,
      },
      {
        title: 'Why',
        name: true,
        cell: (row) => [
          `${row.doing}: ${row.error}`,
          row.set_aside_at === undefined ? null : h('div', { class: 'quiet small' }, about(row)),
          // A phone has no place for a column of their own.
          h('div', { class: 'acts' }, acts(row, again)),
        ],
      },
    ],
  });
}

function about({ payload_bytes: size, set_aside_at: ms }) {
  return `${bytes(size)}, ${moment(ms)}`;
}

function acts({ kind, vhost, name, id }, again) {
  if (kind !== 'message') {
    // A vhost that is set aside is put anew, never dropped: all that is in it would be lost.
    if (kind === 'vhost') return null;
    return button('Drop', () => dropRow(kind, name, id, again), 'danger');
  }
  const path = at`/queues/${vhost}/${name}/set-aside`;
  return [
    button('Try again', () => retry(path, id, again)),
    button('Export', () => exported(`${path}${at`/${id}`}`, id)),
    button('Drop', () => drop(path, id, `message ${id} of ${name}`, again), 'danger'),
  ];
}

function retry(path, id, again) {
  return ask(
    id === 'all' ? 'Try all again?' : `Try message ${id} again?`,
    'It goes to the tail of its queue. What still cannot be looked at is set aside once more.',
    'Try again',
    async () => {
      const { retried } = await call('POST', `${path}${at`/${id}`}/retry`, {});
      await again();
      return `${many(retried, 'message')} put back`;
    },
  );
}

function drop(path, id, what, again) {
  return ask(
    `Drop ${what}?`,
    'This cannot be undone: it is deleted for good.',
    'Drop',
    async () => {
      await call('DELETE', `${path}${at`/${id}`}`);
      await again();
      return 'Dropped';
    },
  );
}

function dropRow(kind, name, id, again) {
  const more = kind === 'queue' ? ' All messages of the queue are lost with it.' : '';
  const about = `This cannot be undone: the ${kind} is deleted for good.${more}`;
  return ask(`Drop ${kind} ${name}?`, about, 'Drop', async () => {
    await call('DELETE', at`/set-aside/rows/${id}`);
    await again();
    return 'Dropped';
  });
}

/** Shows a message with all that is known of it, to be copied or saved. */
async function exported(path, id) {
  const text = h('pre', { tabindex: '0' });
  const error = h('p', { class: 'error', role: 'alert', hidden: true });
  const close = h('button', { type: 'button', onclick: () => dialog.close() }, 'Close');
  const save = h('a', { download: `message-${id}.json`, hidden: true }, 'Save as a file');
  /** @type {string | null} */
  let url = null;
  const gone = () => {
    if (url !== null) URL.revokeObjectURL(url);
    dialog.remove();
  };
  const dialog = h(
    'dialog',
    { 'aria-label': `Message ${id}`, onclose: gone },
    h('h2', null, `Message ${id}`),
    error,
    text,
    h('div', { class: 'actions' }, save, close),
  );
  document.body.append(dialog);
  dialog.showModal();
  try {
    const json = JSON.stringify(await get(path), null, 2);
    replace(text, json);
    url = URL.createObjectURL(new Blob([json], { type: 'application/json' }));
    save.href = url;
    save.hidden = false;
  } catch (failure) {
    error.textContent = messageOf(failure);
    error.hidden = false;
  }
}
