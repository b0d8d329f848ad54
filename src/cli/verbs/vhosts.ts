// Owns the verbs for vhosts: add_vhost, delete_vhost, list_vhosts, trace_on, trace_off. Never checks
// a name: the broker does.

import { Option } from 'commander';
import type { Verb } from '../verb/verb.ts';

const COLUMNS = ['name', 'description', 'tags', 'default_queue_type', 'tracing', 'messages'];

export const vhostVerbs: readonly Verb[] = [
  {
    name: 'add_vhost',
    arguments: '<name>',
    about: 'Make a vhost, where nobody has permissions yet.',
    options: [
      new Option('--description <text>', 'What it is for.'),
      new Option('--tags <tags>', 'Its tags, with commas between them.'),
      new Option('--default-queue-type <type>', 'The type of queues that name none.').choices([
        'classic',
        'quorum',
      ]),
    ],
    run: async (view, [name], options) => {
      const { description, tags, defaultQueueType } = options;
      await view.addVhost(String(name), {
        ...(typeof description === 'string' ? { description } : {}),
        ...(typeof tags === 'string' ? { tags: tags.split(',').map((tag) => tag.trim()) } : {}),
        ...(typeof defaultQueueType === 'string' ? { defaultQueueType } : {}),
      });
      return undefined;
    },
  },
  {
    name: 'delete_vhost',
    arguments: '<name>',
    about: 'Delete a vhost with all its queues, their messages, exchanges and permissions.',
    run: async (view, [name]) => {
      await view.deleteVhost(String(name));
      return undefined;
    },
  },
  {
    name: 'list_vhosts',
    about: 'List all vhosts.',
    run: async (view) => ({ columns: COLUMNS, rows: await view.vhosts() }),
  },
  ...[true, false].map(
    (on): Verb => ({
      name: on ? 'trace_on' : 'trace_off',
      about: `${on ? 'Publish a copy' : 'Stop publishing copies'} of every message of a vhost to amq.rabbitmq.trace.`,
      vhost: true,
      run: async (view, _args, { vhost }) => {
        await view.changeVhost(String(vhost), { tracing: on });
        return undefined;
      },
    }),
  ),
];
