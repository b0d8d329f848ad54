// Owns the page of schedules: messages that the broker publishes at given times. Never reads a cron expression: the
// broker says when it would tick.

import { at, call, get } from '../../api.js';
import { form } from '../../dialog.js';
import { h, messageOf, moment, tag, toast } from '../../dom.js';
import { chosenVhost } from '../../frame/vhost.js';
import { button, listPage, remover } from '../../parts/page.js';
import { nameFields } from '../../parts/vhosts.js';
import { table } from '../../table.js';

/** @import { Field, Widget } from '../../fields.js' */

export async function show() {
  const chosen = chosenVhost();
  const path = chosen === '' ? '/schedules' : at`/schedules/${chosen}`;
  const refresh = async () => rows.show(await get(path));
  const rows = table({
    caption: 'Schedules',
    stack: true,
    empty: 'There is no schedule.',
    columns: [
      { title: 'Name', name: true, cell: (row) => row.name },
      { title: 'Vhost', cell: (row) => row.vhost },
      { title: 'When', cell: when },
      {
        title: 'To',
        cell: (row) =>
          `${row.exchange === '' ? '(default exchange)' : row.exchange}, ${row.routing_key}`,
      },
      { title: 'Next', cell: (row) => (row.next_at === null ? 'never' : moment(row.next_at)) },
      {
        title: 'Last',
        cell: (row) => [
          row.last_at === null ? '–' : moment(row.last_at),
          row.last_error === null ? null : [' ', tag(row.last_error, 'red')],
        ],
      },
      {
        title: '',
        num: true,
        cell: (row) => [
          button('Run now', () => run(row, refresh)),
          ' ',
          button('Change', () => set(refresh, row)),
          ' ',
          remover(row.name, at`/schedules/${row.vhost}/${row.name}`, refresh),
        ],
      },
    ],
  });
  return listPage('Schedules', { element: rows.element, refresh }, 'Add a schedule', set);
}

/** When a schedule ticks, in one line. */
function when(row) {
  if (row.every !== undefined) return `every ${row.every / 1000} s`;
  return [h('code', { class: 'mono' }, row.cron), ` ${row.time_zone}`];
}

async function run({ vhost, name }, refresh) {
  try {
    const { error } = await call('POST', at`/schedules/${vhost}/${name}/run`, {});
    toast(error === null ? `Published the message of ${name}` : error, error !== null);
    await refresh();
  } catch (error) {
    toast(messageOf(error), true);
  }
}

/** What is sent of when: a schedule has one of both. */
function timing({ cron, time_zone: zone, every }) {
  if (String(every ?? '').trim() !== '') return { every: Number(every) };
  return { cron, ...(zone === '' ? {} : { time_zone: zone }) };
}

/**
 * The times that the broker names for what is entered.
 * @param {Field} field
 * @returns {Widget}
 */
function preview({ name, label }) {
  const list = h('div', { 'aria-live': 'polite' });
  let asked = '';
  const changed = async (/** @type {Record<string, unknown>} */ now) => {
    const query = new URLSearchParams(
      Object.entries(timing(/** @type {any} */ (now))).map(([key, value]) => [key, String(value)]),
    ).toString();
    if (query === asked) return;
    asked = query;
    let shown;
    try {
      const { times } = await get(`/schedule-times?${query}`);
      shown = times.map((/** @type {number} */ ms) => h('div', null, moment(ms)));
    } catch (error) {
      shown = [h('small', null, messageOf(error))];
    }
    // What was entered meanwhile has an answer of its own.
    if (query === asked) list.replaceChildren(...shown);
  };
  return {
    name,
    element: h('div', { class: 'field' }, h('b', null, label), list),
    read: () => undefined,
    now: () => undefined,
    claims: () => false,
    fail: () => false,
    changed: (now) => void changed(now),
  };
}

/**
 * @param {() => Promise<void>} refresh
 * @param {any} [row]
 */
async function set(refresh, row = null) {
  await form({
    title: row === null ? 'Add a schedule' : `Change ${row.name}`,
    action: row === null ? 'Add' : 'Change',
    fields: [
      ...(await nameFields(row)),
      {
        name: 'cron',
        label: 'Cron expression',
        value: row === null ? '0 * * * *' : (row.cron ?? ''),
        about: /cron/,
        help: 'Minute, hour, day of the month, month, day of the week; seconds may come first',
      },
      {
        name: 'time_zone',
        label: 'Time zone',
        value: row?.time_zone ?? '',
        placeholder: 'UTC',
        suggestions: Intl.supportedValuesOf('timeZone'),
        about: /time.?zone/,
        help: 'Such as Europe/Berlin',
      },
      {
        name: 'every',
        label: 'Or every so many milliseconds',
        type: 'number',
        value: String(row?.every ?? ''),
        about: /every/,
        help: 'In place of a cron expression; 1000 or more',
      },
      { name: 'preview', label: 'The next times, where you are', widget: preview },
      { name: 'exchange', label: 'Exchange', value: row?.exchange ?? '', about: /exchange/ },
      {
        name: 'routing_key',
        label: 'Routing key',
        value: row?.routing_key ?? '',
        about: /routing_key/,
        help: 'With the default exchange, a queue',
      },
      {
        name: 'payload',
        label: 'Payload',
        type: 'area',
        value: row?.payload ?? '',
        about: /payload/,
      },
      {
        name: 'properties',
        label: 'Properties, as JSON',
        type: 'area',
        value: row === null ? '' : JSON.stringify(row.properties),
        about: /propert/,
        help: 'Such as {"content_type": "application/json", "headers": {"x-delay": 60000}}',
      },
    ],
    submit: async ({ vhost, name, cron, time_zone, every, preview: _, ...message }) => {
      const body = { ...message, payload_encoding: row?.payload_encoding ?? 'string' };
      const path = at`/schedules/${vhost}/${name}`;
      await call('PUT', path, { ...timing({ cron, time_zone, every }), ...body });
      await refresh();
      return `Saved ${name}`;
    },
  });
}
