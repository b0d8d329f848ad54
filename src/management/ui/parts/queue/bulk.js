// Owns what is done with many queues at once, and what that means for each. Never draws the list of them.

import { at, call } from '../../api.js';
import { many, toast } from '../../dom.js';
import { doMany } from '../bulk.js';

const pathTo = ({ vhost, name }) => at`/queues/${vhost}/${name}`;
const queues = (rows) => many(rows.length, 'queue');
const called = ({ vhost, name }) => `${name} (${vhost})`;

/** Streams are left out: what they keep goes by their limits alone. */
export function purgeMany(chosen) {
  const rows = chosen.filter(({ type }) => type !== 'stream');
  const left = chosen.length - rows.length;
  const sum = rows.reduce((all, row) => all + row.messages_ready, 0);
  if (rows.length === 0) {
    toast('Streams cannot be purged: delete them, or set limits by a policy.', true);
    return Promise.resolve(false);
  }
  return doMany({
    title: `Purge ${queues(rows)}?`,
    about: `${left === 0 ? '' : `Streams cannot be purged: ${many(left, 'stream')} left out. `}${many(sum, 'ready message')} will be lost. Unacked messages stay. This cannot be undone.`,
    action: `Purge ${queues(rows)}`,
    danger: true,
    items: rows.map((row) => ({
      name: called(row),
      about: `loses ${many(row.messages_ready, 'ready message')}`,
      act: async () => {
        await call('DELETE', `${pathTo(row)}/contents`);
        return 'purged';
      },
    })),
  });
}

export function deleteMany(rows) {
  const sum = rows.reduce((all, row) => all + row.messages_ready + row.messages_unacknowledged, 0);
  return doMany({
    title: `Delete ${queues(rows)}?`,
    about: `${queues(rows)} with ${many(sum, 'message')} will be lost, with all bindings. This cannot be undone.`,
    action: `Delete ${queues(rows)}`,
    danger: true,
    items: rows.map((row) => ({
      name: called(row),
      about: `loses ${many(row.messages_ready + row.messages_unacknowledged, 'message')}, cancels ${many(row.consumers, 'consumer')}`,
      act: async () => {
        await call('DELETE', pathTo(row));
        return 'deleted';
      },
    })),
  });
}

export function pauseMany(rows, paused) {
  return doMany({
    title: `${paused ? 'Pause' : 'Resume'} ${queues(rows)}?`,
    about: paused
      ? 'Consumers stay and get nothing until the queues are resumed. Publishers go on.'
      : 'Consumers get messages again.',
    action: `${paused ? 'Pause' : 'Resume'} ${queues(rows)}`,
    items: rows.map((row) => ({
      name: called(row),
      about: paused ? `${many(row.consumers, 'consumer')} will wait` : `is ${row.state}`,
      act: async () => {
        await call('PUT', `${pathTo(row)}/${paused ? 'pause' : 'resume'}`, {});
        return paused ? 'paused' : 'resumed';
      },
    })),
  });
}
