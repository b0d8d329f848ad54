// Owns the verbs for what lies in a vhost: list_queues, list_exchanges, list_bindings, delete_queue,
// purge_queue. Never computes a column: the broker's view does.

import { Option } from 'commander';
import { UsageError } from '../exit-codes.ts';
import { counted, type Listing } from '../output.ts';
import type { Arguments, Verb } from '../verb/verb.ts';

/** The columns of each list: those shown when none are named, then the others. */
const QUEUE_COLUMNS = ['name', 'messages'];
const MORE_QUEUE_COLUMNS = [
  'vhost',
  'type',
  'durable',
  'auto_delete',
  'arguments',
  'policy',
  'operator_policy',
  'effective_policy_definition',
  'state',
  'messages_ready',
  'messages_unacknowledged',
  'messages_delayed',
  'message_bytes_ready',
  'consumers',
];
const EXCHANGE_COLUMNS = ['name', 'type'];
const MORE_EXCHANGE_COLUMNS = [
  'vhost',
  'durable',
  'auto_delete',
  'internal',
  'arguments',
  'policy',
];
const BINDING_COLUMNS = ['source', 'destination', 'destination_type', 'routing_key', 'arguments'];

export const topologyVerbs: readonly Verb[] = [
  {
    name: 'list_queues',
    arguments: '[columns...]',
    about: 'List the durable queues of a vhost.',
    vhost: true,
    more: `Columns: ${[...QUEUE_COLUMNS, ...MORE_QUEUE_COLUMNS].join(', ')}`,
    run: async (view, [columns], { vhost }) =>
      choose(columns, QUEUE_COLUMNS, MORE_QUEUE_COLUMNS, await view.queues(String(vhost))),
  },
  {
    name: 'list_exchanges',
    arguments: '[columns...]',
    about: 'List the durable exchanges of a vhost.',
    vhost: true,
    more: `Columns: ${[...EXCHANGE_COLUMNS, ...MORE_EXCHANGE_COLUMNS].join(', ')}`,
    run: async (view, [columns], { vhost }) =>
      choose(columns, EXCHANGE_COLUMNS, MORE_EXCHANGE_COLUMNS, await view.exchanges(String(vhost))),
  },
  {
    name: 'list_bindings',
    arguments: '[columns...]',
    about: 'List the durable bindings of a vhost.',
    vhost: true,
    more: `Columns: ${[...BINDING_COLUMNS, 'vhost'].join(', ')}`,
    run: async (view, [columns], { vhost }) =>
      choose(columns, BINDING_COLUMNS, ['vhost'], await view.bindings(String(vhost))),
  },
  {
    name: 'delete_queue',
    arguments: '<name>',
    about: 'Delete a queue with its messages.',
    vhost: true,
    options: [
      new Option('-e, --if-empty', 'Only if it holds no messages.'),
      new Option('-u, --if-unused', 'Only if it has no consumers; a stopped broker has none.'),
    ],
    run: async (view, [name], options) => {
      const conditions = {
        ifUnused: options['ifUnused'] === true,
        ifEmpty: options['ifEmpty'] === true,
      };
      const count = await view.deleteQueue(String(options['vhost']), String(name), conditions);
      return `Deleted the queue '${name}' with ${counted(count, 'ready message')}\n`;
    },
  },
  {
    name: 'purge_queue',
    arguments: '<name>',
    about: 'Remove all messages of a queue.',
    vhost: true,
    run: async (view, [name], { vhost }) => {
      const count = await view.purgeQueue(String(vhost), String(name));
      return `Removed ${counted(count, 'message')} from the queue '${name}'\n`;
    },
  },
];

function choose(
  asked: Arguments,
  usual: readonly string[],
  more: readonly string[],
  rows: readonly object[],
): Listing {
  const columns = (asked as readonly string[]).length > 0 ? (asked as readonly string[]) : usual;
  const known = [...usual, ...more];
  const unknown = columns.find((column) => !known.includes(column));
  if (unknown !== undefined) {
    throw new UsageError(`there is no column '${unknown}': choose from ${known.join(', ')}`);
  }
  return { columns, rows };
}
