// Owns the dialogs of what can be done to a queue.

import { at, call, get } from '../api.js';
import { ask, form } from '../dialog.js';
import { count, h } from '../dom.js';
import { drawMessage } from './message.js';

export function publish(vhost, name, again) {
  return publishTo({ vhost, exchange: 'amq.default', key: name }, again);
}

/** Opens the form that publishes a message. */
export function publishTo({ vhost, exchange, key }, again) {
  return form({
    title: 'Publish a message',
    action: 'Publish',
    fields: [
      { name: 'routing_key', label: 'Routing key', value: key },
      { name: 'payload', label: 'Payload', type: 'area' },
      { name: 'persistent', label: 'Persistent', type: 'check', value: true },
      {
        name: 'properties',
        label: 'Properties (JSON)',
        type: 'area',
        placeholder: '{"content_type": "application/json", "headers": {"attempt": 1}}',
      },
    ],
    submit: async ({ routing_key, payload, persistent, properties }) => {
      const { routed } = await call('POST', at`/exchanges/${vhost}/${exchange}/publish`, {
        routing_key,
        payload,
        payload_encoding: 'string',
        properties: { ...(persistent ? { delivery_mode: 2 } : {}), ...properties },
      });
      await again();
      if (!routed) throw new Error('No queue took it: look at the routing key and the bindings.');
      return 'Published';
    },
  });
}

const MODES = {
  'look, and put back': 'ack_requeue_true',
  'take out for good': 'ack_requeue_false',
  'reject: dead-letter': 'reject_requeue_false',
};

export function take(path, again) {
  return form({
    title: 'Get messages',
    about: 'They count as delivered, also those that are put back. To look only, browse.',
    action: 'Get',
    fields: [
      { name: 'count', label: 'How many', type: 'number', value: '1' },
      { name: 'mode', label: 'And then', type: 'select', options: Object.keys(MODES) },
    ],
    submit: async ({ count: wanted, mode }) => {
      const got = await call('POST', `${path}/get`, {
        count: wanted,
        ackmode: MODES[mode],
        encoding: 'auto',
        truncate: 50_000,
      });
      await again();
      showGot(got);
    },
  });
}

function showGot(got) {
  const close = h(
    'button',
    { type: 'button', class: 'main', onclick: () => dialog.close() },
    'Close',
  );
  const dialog = h(
    'dialog',
    { 'aria-label': 'Messages', onclose: () => dialog.remove() },
    h('h2', null, got.length === 0 ? 'The queue is empty' : `${got.length} got`),
    got.map(drawMessage),
    h('div', { class: 'actions' }, close),
  );
  document.body.append(dialog);
  dialog.showModal();
}

export function redrive(path, again) {
  return form({
    title: 'Redrive or move messages',
    about:
      'Dead letters go back to the queue that they died in, as they were. With a queue named, all go there.',
    action: 'Move',
    fields: [
      { name: 'to', label: 'To the queue', help: 'Empty: where each one died' },
      { name: 'count', label: 'At most', type: 'number', help: 'Empty: all' },
      {
        name: 'rate',
        label: 'At most a second',
        type: 'number',
        help: 'Empty: as fast as it goes',
      },
      { name: 'key', label: 'Only with the routing key', help: '* stands for anything' },
      { name: 'header', label: 'Only with the header', help: 'name, or name:value' },
    ],
    submit: async (values) => {
      const body = Object.fromEntries(
        Object.entries(values).filter(([, value]) => value !== null && value !== ''),
      );
      const { moved, stuck, left } = await redriveAll(path, body);
      await again();
      return `${count(moved)} moved, ${count(left)} left${stuck > 0 ? `; ${count(stuck)} have no way back` : ''}`;
    },
  });
}

/** One call moves messages for some seconds, and says where the next one goes on. */
async function redriveAll(path, { count: most = Infinity, ...body }) {
  const sum = { moved: 0, stuck: 0, left: 0 };
  let cursor = null;
  do {
    const rest = most === Infinity ? {} : { count: most - sum.moved };
    const from = cursor === null ? {} : { cursor };
    const step = await call('POST', `${path}/redrive`, { ...body, ...rest, ...from });
    sum.moved += step.moved;
    sum.stuck += step.stuck;
    sum.left = step.left;
    cursor = step.next_cursor;
  } while (cursor !== null && sum.moved < most);
  return sum;
}

export async function bind(vhost, name, again) {
  const exchanges = (await get(at`/exchanges/${vhost}`))
    .map((each) => each.name)
    .filter((each) => each !== '');
  await form({
    title: `Bind ${name}`,
    action: 'Bind',
    fields: [
      { name: 'source', label: 'To the exchange', type: 'select', options: exchanges },
      { name: 'routing_key', label: 'Binding key' },
      { name: 'arguments', label: 'Arguments (JSON)', type: 'area' },
    ],
    submit: async ({ source, ...body }) => {
      await call('POST', at`/bindings/${vhost}/e/${source}/q/${name}`, body);
      await again();
      return 'Bound';
    },
  });
}

export function purge(path, name, again) {
  return ask(
    `Purge ${name}?`,
    'All messages that are ready are lost. Unacked ones stay.',
    'Purge',
    async () => {
      await call('DELETE', `${path}/contents`);
      await again();
      return 'Purged';
    },
  );
}

export function remove(path, name) {
  return ask(
    `Delete ${name}?`,
    'The queue is lost with its messages and bindings, and its consumers are cancelled.',
    'Delete',
    async () => {
      await call('DELETE', path);
      location.hash = '#/queues';
      return `Deleted ${name}`;
    },
  );
}
