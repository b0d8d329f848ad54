// Owns what the page of a queue shows of messages that wait for their time, and what can be done with them: send now,
// drop. Never decides when one is due.

import { call, get } from '../../api.js';
import { ask } from '../../dialog.js';
import { bytes, count, h, many, messageOf, moment, span, toast } from '../../dom.js';
import { update } from '../../morph.js';
import { selection } from '../../selection.js';
import { table } from '../../table.js';
import { button } from '../page.js';

/** So many are shown, and so much of each payload. */
const SHOWN_MAX = 50;
const SHOWN_BYTES = 200;

/**
 * A message that waits, as the API shows it.
 * @typedef {object} Delayed
 * @property {string} id
 * @property {number} due_at
 * @property {number} returns
 * @property {number} payload_bytes
 * @property {string} [routing_key]
 * @property {string} [payload]
 * @property {boolean} [truncated]
 * @property {string} [error]
 */

/**
 * The section of what waits in a queue, and nothing where nothing does.
 * @param {string} path of the queue
 * @param {() => Promise<void>} again draws the page anew
 */
export function delayedSection(path, again) {
  const handle = async (/** @type {string} */ action, /** @type {string[] | null} */ ids) => {
    const body = ids === null ? { action } : { action, ids };
    const { done, not_there: gone } = await call('POST', `${path}/delayed`, body);
    await again();
    const what = `${many(done, 'message')} ${action === 'send' ? 'sent' : 'dropped'}`;
    return gone === 0 ? what : `${what}, ${count(gone)} no longer waited`;
  };
  const send = (/** @type {string[] | null} */ ids) =>
    handle('send', ids).then(
      (said) => toast(said),
      (failure) => toast(messageOf(failure), true),
    );
  const drop = async (/** @type {string} */ what, /** @type {string[] | null} */ ids) => {
    let dropped = false;
    await ask(
      `Drop ${what}?`,
      'This cannot be undone: it is deleted for good.',
      'Drop',
      async () => {
        const said = await handle('drop', ids);
        dropped = true;
        return said;
      },
    );
    return dropped;
  };
  const idsOf = (/** @type {Delayed[]} */ rows) => rows.map(({ id }) => id);
  const picked = selection({
    key: (/** @type {Delayed} */ row) => row.id,
    name: ({ due_at: due }) => `the message due ${moment(due)}`,
    actions: [
      { label: 'Send these now', run: (rows) => send(idsOf(rows)).then(() => true) },
      {
        label: 'Drop these',
        danger: true,
        run: (rows) => drop(many(rows.length, 'message'), idsOf(rows)),
      },
    ],
    all: async () => [],
    after: again,
  });
  const rows = table({
    caption: 'Messages that wait',
    empty: 'Nothing waits.',
    key: (/** @type {Delayed} */ row) => row.id,
    columns: [picked.column, ...COLUMNS, actsColumn(send, drop)],
  });
  const bar = h('div', { class: 'bar' });
  const element = h('section', { class: 'card flat', hidden: true }, bar, picked.bar, rows.element);
  const refresh = async () => {
    // A user without the right to read the queue sees no messages of it.
    const query = `?count=${SHOWN_MAX}&truncate=${SHOWN_BYTES}`;
    /** @type {{ messages: Delayed[], delayed: number }} */
    const { messages, delayed } = await get(`${path}/delayed${query}`).catch(() => ({
      messages: [],
      delayed: 0,
    }));
    element.hidden = delayed === 0;
    rows.show(messages);
    picked.shown(messages, messages.length);
    const more = delayed > messages.length ? `, of which the next ${messages.length}` : '';
    update(
      bar,
      h('h2', { class: 'grow' }, `Waiting for their time: ${many(delayed, 'message')}${more}`),
      button('Send all now', () => send(null)),
      button('Drop all', () => drop(`all ${many(delayed, 'message')} that wait`, null), 'danger'),
    );
  };
  return { element, refresh };
}

/** @type {import('../../table.js').Column<Delayed>[]} */
const COLUMNS = [
  {
    title: 'Due',
    cell: ({ due_at: due }) => [
      due <= Date.now() ? 'now' : `in ${span(due - Date.now())}`,
      h('div', { class: 'quiet small' }, moment(due)),
    ],
  },
  { title: 'Returns', num: true, cell: ({ returns }) => count(returns) },
  { title: 'Routing key', name: true, wide: true, cell: (row) => row.routing_key ?? '' },
  {
    title: 'Payload',
    name: true,
    cell: ({ error, payload, truncated, payload_bytes: size }) =>
      error === undefined
        ? [
            h('code', { class: 'mono' }, payload === '' ? '(empty)' : payload),
            truncated ? h('span', { class: 'quiet small' }, ` … ${bytes(size)}`) : null,
          ]
        : `It cannot be read: ${error}`,
  },
];

/**
 * @param {(ids: string[]) => unknown} send
 * @param {(what: string, ids: string[]) => unknown} drop
 * @returns {import('../../table.js').Column<Delayed>}
 */
function actsColumn(send, drop) {
  return {
    title: '',
    num: true,
    cell: ({ id }) => [
      button('Send now', () => send([id])),
      ' ',
      button('Drop', () => drop('this message', [id]), 'danger'),
    ],
  };
}
