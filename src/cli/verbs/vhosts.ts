// Owns the verbs for vhosts: add_vhost, delete_vhost, list_vhosts, trace_on, trace_off. Never checks
// a name: the broker does.

import type { Verb } from '../verb/verb.ts';
import { vhostOptions } from '../verb/vhost-options.ts';

const COLUMNS = ['name', 'description', 'tags', 'default_queue_type', 'tracing', 'messages'];

export const vhostVerbs: readonly Verb[] = [
  {
    name: 'add_vhost',
    arguments: '<name>',
    about: 'Create a vhost. No user has permissions in it yet.',
    options: vhostOptions(['classic', 'quorum', 'stream']),
    done: ([name]) => `Added the vhost '${name}'`,
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
    done: ([name]) => `Deleted the vhost '${name}'`,
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
      done: (_args, { vhost }) =>
        on
          ? `Messages of the vhost '${vhost}' are traced`
          : `Messages of the vhost '${vhost}' are no longer traced`,
      run: async (view, _args, { vhost }) => {
        await view.changeVhost(String(vhost), { tracing: on });
        return undefined;
      },
    }),
  ),
];
