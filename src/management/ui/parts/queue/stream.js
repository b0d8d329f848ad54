// Owns what the page of a stream shows of its offsets and of what reads it, and what can be done with the places of groups.
// Never reads an offset or a time that is entered: the broker does.

import { at, call, get } from '../../api.js';
import { ask, form } from '../../dialog.js';
import { bytes, count, h, many, moment, span, tag } from '../../dom.js';
import { table } from '../../table.js';
import { button, section } from '../page.js';
import { channelLink } from '../peer.js';

/** So many readers, and so many groups, are shown. Offsets stand in full: people copy them. */
const SHOWN_MAX = 100;
const SHOWN = `page=1&page_size=${SHOWN_MAX}`;
const OFFSET = /^([+-]?\d+|first|last|next)$/;
const PLACES =
  'An offset, below 0 so many messages before the next; first, last or next; a time such as 2026-01-31T08:00:00Z; or a span such as 1h, that long ago.';

/**
 * A consumer as the API names it.
 * @typedef {{ consumer_tag: string, channel_details: any }} Named
 */

/**
 * A group that has a place.
 * @typedef {object} Group
 * @property {string} name
 * @property {number} offset
 * @property {number} moved_at
 * @property {number} lag_messages
 * @property {number | null} lag_seconds
 * @property {number} consumers
 * @property {Named | null} active_consumer
 */

/**
 * What reads a stream now.
 * @typedef {object} Reader
 * @property {string | null} group
 * @property {string | null} super_stream
 * @property {number} next_offset
 * @property {number | null} until_offset
 * @property {number} lag_messages
 * @property {number | null} lag_seconds
 * @property {Named | null} active_consumer
 * @property {Named[]} consumers
 */

/**
 * A place as the API takes it: numbers and words are offsets, all else is a time.
 * @param {string} text
 */
export function placeOf(text) {
  const place = text.trim();
  return OFFSET.test(place) ? { offset: place } : { time: place };
}

/**
 * What is told of a stream in large letters, as pairs of value and label.
 * @param {any} stream
 * @returns {[string, string][]}
 */
export function streamTiles(stream) {
  return [
    [count(stream.messages), 'messages'],
    [stream.last_offset === null ? '–' : String(stream.first_offset), 'first offset'],
    [stream.last_offset === null ? '–' : String(stream.last_offset), 'last offset'],
    [bytes(stream.message_bytes), 'in messages'],
    [span(stream.oldest_message_age_ms), 'age of the oldest'],
    [count(stream.consumers), 'consumers'],
    [count(stream.groups), 'groups with a place'],
  ];
}

/**
 * How much a stream keeps, in words.
 * @param {{ max_age_ms: number | null, max_length: number | null, max_length_bytes: number | null }} limits
 */
export function limitWords({ max_age_ms: age, max_length: length, max_length_bytes: size }) {
  const words = [
    age === null ? null : `what is no older than ${span(age)}`,
    length === null ? null : `up to ${many(length, 'message')}`,
    size === null ? null : `up to ${bytes(size)}`,
  ].filter((each) => each !== null);
  return words.length === 0 ? 'all that comes: it has no limit' : words.join(', ');
}

/**
 * The sections of what reads a stream.
 * @param {string} path of the stream
 * @param {() => Promise<void>} again draws the page anew
 */
export function streamSections(path, again) {
  const readers = table({
    caption: 'Readers',
    empty: 'Nothing reads this stream now.',
    columns: READERS,
  });
  const groups = table({
    caption: 'Groups',
    empty: 'No group has a place in this stream.',
    key: (/** @type {Group} */ row) => row.name,
    columns: [...GROUPS, actsColumn(path, again)],
  });
  const more = h('p', { class: 'quiet small' });
  const refresh = async () => {
    /** @type {{ items: Reader[] }} */
    const reading = await get(`${path}/readers?pagination=true&${SHOWN}`).catch(() => NONE);
    /** @type {{ items: Group[], filtered_count: number }} */
    const placed = await get(`${path}/groups?${SHOWN}`).catch(() => NONE);
    readers.show(reading.items);
    groups.show(placed.items);
    const hidden = placed.filtered_count - placed.items.length;
    more.textContent = hidden > 0 ? `${many(hidden, 'more group')}: the HTTP API lists all.` : '';
  };
  return {
    elements: [
      section('Readers', readers, null),
      section(
        'Groups',
        { element: h('div', null, groups.element, more) },
        button('Set the place of a group', () => setPlace(path, null, again)),
      ),
    ],
    refresh,
  };
}

/** A user without the right to read the queue sees none. */
const NONE = { items: [], filtered_count: 0 };

/** @param {Group | Reader} row */
const lag = ({ lag_messages: messages, lag_seconds: seconds }) => [
  messages === 0 ? 'none' : many(messages, 'message'),
  messages === 0 || seconds === null
    ? null
    : h('div', { class: 'quiet small' }, `${span(seconds * 1000)} behind`),
];

/** @param {Named | null} consumer */
const consumerLink = (consumer) => {
  if (consumer === null) return '–';
  const { name, number, connection_name: connection } = consumer.channel_details;
  return [
    h('div', null, consumer.consumer_tag),
    channelLink(name, number, { ...consumer.channel_details, name: connection }),
  ];
};

/** @type {import('../../table.js').Column<Reader>[]} */
const READERS = [
  {
    title: 'Group',
    name: true,
    cell: ({ group, super_stream: all }) => [
      group ?? tag('by itself', 'grey'),
      all === null ? null : h('div', { class: 'quiet small' }, `reads the super stream ${all}`),
    ],
  },
  { title: 'Active consumer', name: true, cell: (row) => consumerLink(row.active_consumer) },
  { title: 'Consumers', num: true, cell: ({ consumers }) => count(consumers.length) },
  { title: 'Next offset', num: true, cell: (row) => String(row.next_offset) },
  {
    title: 'Ends at',
    num: true,
    when: (row) => row.until_offset !== null,
    cell: ({ until_offset: end }) => (end === null ? '' : String(end)),
  },
  { title: 'Lag', num: true, cell: lag },
];

/** @type {import('../../table.js').Column<Group>[]} */
const GROUPS = [
  { title: 'Group', name: true, cell: (row) => row.name },
  { title: 'Place', num: true, cell: (row) => String(row.offset) },
  { title: 'Lag', num: true, cell: lag },
  { title: 'Moved', wide: true, cell: (row) => moment(row.moved_at) },
  {
    title: 'Consumers',
    num: true,
    cell: ({ consumers }) => (consumers === 0 ? tag('none', 'warn') : count(consumers)),
  },
];

/**
 * @param {string} path
 * @param {() => Promise<void>} again
 * @returns {import('../../table.js').Column<Group>}
 */
function actsColumn(path, again) {
  return {
    title: '',
    num: true,
    cell: ({ name }) => [
      button('Set place', () => setPlace(path, name, again)),
      button('Forget', () => forget(path, name, again), 'danger'),
    ],
  };
}

/**
 * @param {string} path
 * @param {string | null} group null: one that is asked for
 * @param {() => Promise<void>} again
 */
function setPlace(path, group, again) {
  return form({
    title: group === null ? 'Set the place of a group' : `Set the place of ${group}`,
    about: 'Its consumers go on there when they come. A group that has consumers keeps its place.',
    action: 'Set',
    fields: [
      ...(group === null
        ? [{ name: 'group', label: 'Group', required: true, about: /^group|name of a group/ }]
        : []),
      { name: 'place', label: 'Place', required: true, help: PLACES, about: /^(time|offset) / },
    ],
    submit: async ({ group: given, place }) => {
      const name = group ?? given;
      const body = placeOf(place);
      const { offset } = await call('PUT', `${path}${at`/groups/${name}`}`, body);
      await again();
      return `${name} goes on at ${offset}`;
    },
  });
}

/**
 * @param {string} path
 * @param {string} group
 * @param {() => Promise<void>} again
 */
function forget(path, group, again) {
  return ask(
    `Forget the group ${group}?`,
    'It begins anew when it comes again, where its consumers ask for. This cannot be undone.',
    'Forget',
    async () => {
      await call('DELETE', `${path}${at`/groups/${group}`}`);
      await again();
      return `Forgot ${group}`;
    },
  );
}
