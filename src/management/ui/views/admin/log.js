// Owns the page of the broker's log: its last lines, by level and text. Never keeps a line: the broker does.

import { get } from '../../api.js';
import { count, h, moment, tag } from '../../dom.js';
import { table } from '../../table.js';

/** @import { Child } from '../../dom.js' */

/** So many lines are shown, until more are asked for. */
const SHOWN = 200;
/** So many the broker has. */
const SHOWN_MAX = 1000;
/** A filter is asked for once typing has paused. */
const PAUSE_MS = 200;

const LEVELS = {
  trace: 'all levels',
  debug: 'debug and above',
  info: 'info and above',
  warn: 'warnings and errors',
  error: 'errors',
};

/** @type {Record<string, string>} */
const KINDS = { warn: 'warn', error: 'bad', fatal: 'bad' };

export async function show() {
  let shown = SHOWN;
  let pause = 0;
  const again = () => void refresh().catch(() => {});
  const level = h(
    'select',
    { 'aria-label': 'Level', onchange: again },
    Object.entries(LEVELS).map(([value, label]) => h('option', { value }, label)),
  );
  level.value = 'info';
  const text = h('input', {
    type: 'search',
    class: 'grow',
    placeholder: 'Filter by text',
    'aria-label': 'Filter the log by text',
    oninput: () => {
      clearTimeout(pause);
      pause = setTimeout(again, PAUSE_MS);
    },
  });
  const note = h('span', { class: 'quiet small grow' });
  const more = h(
    'button',
    {
      type: 'button',
      hidden: true,
      onclick: () => {
        shown = SHOWN_MAX;
        again();
      },
    },
    'Show all',
  );
  const rows = table({
    caption: 'Log',
    stack: true,
    empty: 'No log line matches.',
    key: (row) => String(row.number),
    columns: [
      { title: 'Time', cell: (row) => h('span', { class: 'time' }, moment(row.time)) },
      { title: 'Level', cell: (row) => tag(row.level, KINDS[row.level] ?? 'grey') },
      {
        title: 'What',
        name: true,
        cell: (row) => [row.text, row.fields === '' ? null : fieldsOf(row.fields)],
      },
    ],
  });
  const refresh = async () => {
    const asked = new URLSearchParams({
      level: level.value,
      text: text.value,
      count: String(shown),
    });
    const { lines, kept, forgotten } = await get(`/leveret/log?${asked}`);
    rows.show(lines);
    more.hidden = lines.length < shown || shown === SHOWN_MAX;
    const older = forgotten > 0 ? `, ${count(forgotten)} older ones are forgotten` : '';
    note.textContent = `${count(lines.length)} shown of the last ${count(kept)}${older}`;
  };
  return {
    element: h(
      'div',
      null,
      h('div', { class: 'head' }, h('h1', null, 'Log')),
      h('div', { class: 'bar', role: 'search' }, text, level),
      h('div', { class: 'card flat log' }, rows.element),
      h('div', { class: 'bar pager' }, note, more),
    ),
    refresh,
    dispose: () => clearTimeout(pause),
  };
}

/**
 * The fields of a line, each as a name and a value.
 * @param {string} json
 * @returns {Child}
 */
function fieldsOf(json) {
  const pairs = Object.entries(JSON.parse(json));
  return h(
    'div',
    { class: 'mono quiet' },
    pairs.map(([name, value]) =>
      h('span', null, `${name}=${typeof value === 'string' ? value : JSON.stringify(value)} `),
    ),
  );
}
