// Owns the dialogs of what can be done to a queue.

import { at, call, get } from '../../api.js';
import { ask, form } from '../../dialog.js';
import { count, h, many, messageOf, toast } from '../../dom.js';
import { reference } from '../arguments.js';
import { bindingArguments, namesIn } from '../bindings.js';
import { drawMessage } from '../message.js';

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
      { name: 'count', label: 'How many', type: 'number', min: 1, value: '1' },
      { name: 'mode', label: 'And then', type: 'select', options: Object.keys(MODES) },
    ],
    submit: async ({ count: wanted, mode }) => {
      const got = await call('POST', `${path}/get`, {
        count: wanted ?? 1,
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
      { name: 'count', label: 'At most', type: 'number', min: 1, help: 'Empty: all' },
      {
        name: 'rate',
        label: 'At most per second',
        type: 'number',
        min: 1,
        help: 'Empty: as fast as possible',
      },
      { name: 'key', label: 'Only with the routing key', help: '* stands for anything' },
      { name: 'header', label: 'Only with the header', help: 'name, or name:value' },
    ],
    submit: async (values) => {
      const body = Object.fromEntries(
        Object.entries(values).filter(([, value]) => value !== null && value !== ''),
      );
      const { moved, left, reasons } = await redriveAll(path, body);
      await again();
      const { stuck_reasons: known } = await reference();
      const stuck = Object.entries(reasons).map(([why, n]) => {
        const about = known.find(({ name }) => name === why)?.about ?? why;
        return `${count(n)} stay: ${about}`;
      });
      return [`${count(moved)} moved, ${count(left)} left`, ...stuck].join('; ');
    },
  });
}

/** One call moves messages for some seconds, and says where the next one goes on. */
async function redriveAll(path, { count: most = Infinity, ...body }) {
  /** @type {{ moved: number, left: number, reasons: Record<string, number> }} */
  const sum = { moved: 0, left: 0, reasons: {} };
  let cursor = null;
  do {
    const rest = most === Infinity ? {} : { count: most - sum.moved };
    const from = cursor === null ? {} : { cursor };
    const step = await call('POST', `${path}/redrive`, { ...body, ...rest, ...from });
    sum.moved += step.moved;
    for (const [why, n] of Object.entries(step.stuck_reasons ?? {})) {
      if (n > 0) sum.reasons[why] = (sum.reasons[why] ?? 0) + n;
    }
    sum.left = step.left;
    cursor = step.next_cursor;
  } while (cursor !== null && sum.moved < most);
  return sum;
}

export async function bind(vhost, name, again) {
  const [exchanges, { binding_arguments: known }] = await Promise.all([
    namesIn('exchanges', vhost),
    reference(),
  ]);
  await form({
    title: `Bind ${name}`,
    action: 'Bind',
    fields: [
      {
        name: 'source',
        label: 'To the exchange',
        required: true,
        about: /no exchange /,
        suggestions: exchanges,
      },
      { name: 'routing_key', label: 'Binding key', about: /routing.key|binding.key/ },
      bindingArguments(null, known),
    ],
    submit: async ({ source, ...body }) => {
      await call('POST', at`/bindings/${vhost}/e/${source}/q/${name}`, body);
      await again();
      return 'Bound';
    },
  });
}

/** Pauses a queue after a question, or lets it go on at once. */
export async function pause(path, name, paused, again) {
  const act = async () => {
    await call('PUT', `${path}/${paused ? 'pause' : 'resume'}`, {});
    await again();
    return paused ? 'Paused' : 'Resumed';
  };
  if (!paused) {
    await act().then(
      (said) => toast(said),
      (failure) => toast(messageOf(failure), true),
    );
    return;
  }
  await form({
    title: `Pause ${name}?`,
    about: 'Its consumers stay and get nothing until it is resumed. Publishers go on.',
    action: 'Pause',
    fields: [],
    submit: act,
  });
}

export async function purge(path, name, again) {
  const { messages_ready: ready } = await get(path);
  return ask(
    `Purge ${name}?`,
    `${many(ready, 'ready message')} will be lost. Unacked messages stay. This cannot be undone.`,
    'Purge',
    async () => {
      await call('DELETE', `${path}/contents`);
      await again();
      return 'Purged';
    },
  );
}

export async function remove(path, name) {
  const { messages, consumers } = await get(path);
  return ask(
    `Delete ${name}?`,
    `The queue will be lost with ${many(messages, 'message')} and its bindings; ${many(consumers, 'consumer')} will be cancelled. This cannot be undone.`,
    'Delete',
    async () => {
      await call('DELETE', path);
      location.hash = '#/queues';
      return `Deleted ${name}`;
    },
  );
}
