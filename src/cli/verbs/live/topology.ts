// Owns `leveret declare ...`, `delete ...` and `purge` on a running broker.

import { Option } from 'commander';
import { UserError } from '../../../util/user-error.ts';
import { counted } from '../../output.ts';
import { closeConnection } from '../../verb/close-connection.ts';
import { part } from '../../verb/http-api.ts';
import { type LiveVerb, vhostOf } from '../../verb/live.ts';
import { parseJsonOption } from '../../verb/verb-runner.ts';

const ARGUMENTS = new Option('--arguments <json>', 'Arguments, as a JSON object.')
  .argParser(parseJsonOption)
  .default({}, 'none');
const TRANSIENT = new Option('--transient', 'It does not survive a restart.');
const AUTO_DELETE = new Option('--auto-delete', 'Deleted when it is not used any more.');
const TO_EXCHANGE = new Option('--to-exchange', 'The destination is an exchange.');

const said = (what: string): string => `${what}\n`;

export const declareVerbs: readonly LiveVerb[] = [
  {
    name: 'queue',
    arguments: '<name>',
    about: 'Declare a queue.',
    vhost: true,
    options: [
      TRANSIENT,
      AUTO_DELETE,
      ARGUMENTS,
      new Option('--type <type>', 'Its type.').choices(['classic', 'quorum', 'stream']),
    ],
    more: `Example:\n  leveret declare queue jobs --arguments '{"x-message-ttl":60000}'`,
    run: async (api, [name], options) => {
      const { arguments: args, type } = options;
      await api.call('PUT', `/queues/${vhostOf(options)}/${part(String(name))}`, {
        durable: options['transient'] !== true,
        auto_delete: options['autoDelete'] === true,
        arguments: { ...(args as object), ...(type === undefined ? {} : { 'x-queue-type': type }) },
      });
      return said(`Declared the queue '${name}'`);
    },
  },
  {
    name: 'exchange',
    arguments: '<name> [type]',
    about: 'Declare an exchange: direct, fanout, topic, headers, or another type.',
    vhost: true,
    options: [
      TRANSIENT,
      AUTO_DELETE,
      ARGUMENTS,
      new Option('--internal', 'Clients cannot publish to it.'),
    ],
    run: async (api, [name, type = 'direct'], options) => {
      await api.call('PUT', `/exchanges/${vhostOf(options)}/${part(String(name))}`, {
        type,
        durable: options['transient'] !== true,
        auto_delete: options['autoDelete'] === true,
        internal: options['internal'] === true,
        arguments: options['arguments'],
      });
      return said(`Declared the exchange '${name}'`);
    },
  },
  {
    name: 'binding',
    arguments: '<source> <destination> [key]',
    about: 'Bind a queue, or an exchange, to an exchange.',
    vhost: true,
    options: [TO_EXCHANGE, ARGUMENTS],
    run: async (api, [source, destination, key = ''], options) => {
      const kind = options['toExchange'] === true ? 'e' : 'q';
      const ends = `${part(String(source))}/${kind}/${part(String(destination))}`;
      await api.call('POST', `/bindings/${vhostOf(options)}/e/${ends}`, {
        routing_key: key,
        arguments: options['arguments'],
      });
      return said(`Bound '${destination}' to '${source}'`);
    },
  },
];

export const deleteVerbs: readonly LiveVerb[] = [
  {
    name: 'queue',
    arguments: '<name>',
    about: 'Delete a queue with its messages.',
    vhost: true,
    options: [
      new Option('--if-unused', 'Only if it has no consumers.'),
      new Option('--if-empty', 'Only if it holds no messages.'),
    ],
    run: async (api, [name], options) => {
      const flags = `if-unused=${options['ifUnused'] === true}&if-empty=${options['ifEmpty'] === true}`;
      await api.call('DELETE', `/queues/${vhostOf(options)}/${part(String(name))}?${flags}`);
      return said(`Deleted the queue '${name}'`);
    },
  },
  {
    name: 'exchange',
    arguments: '<name>',
    about: 'Delete an exchange with its bindings.',
    vhost: true,
    options: [new Option('--if-unused', 'Only if nothing is bound to it.')],
    run: async (api, [name], options) => {
      const path = `/exchanges/${vhostOf(options)}/${part(String(name))}`;
      await api.call('DELETE', `${path}?if-unused=${options['ifUnused'] === true}`);
      return said(`Deleted the exchange '${name}'`);
    },
  },
  {
    name: 'binding',
    arguments: '<source> <destination> [key]',
    about: 'Delete all bindings with this key, whatever their arguments.',
    vhost: true,
    options: [TO_EXCHANGE],
    run: async (api, [source, destination, key = ''], options) => {
      const kind = options['toExchange'] === true ? 'e' : 'q';
      const ends = `${part(String(source))}/${kind}/${part(String(destination))}`;
      const path = `/bindings/${vhostOf(options)}/e/${ends}`;
      type Row = { routing_key: string; properties_key: string };
      const rows = (await api.get<Row[]>(path)).filter((row) => row.routing_key === key);
      for (const row of rows) await api.call('DELETE', `${path}/${part(row.properties_key)}`);
      return said(`Deleted ${counted(rows.length, 'binding')}`);
    },
  },
];

export const purgeVerb: LiveVerb = {
  name: 'purge',
  arguments: '<queue>',
  about: 'Remove all ready messages of a queue.',
  vhost: true,
  run: async (api, [name], options) => {
    await api.call('DELETE', `/queues/${vhostOf(options)}/${part(String(name))}/contents`);
    return said(`Purged the queue '${name}'`);
  },
};

export const pauseVerbs: readonly LiveVerb[] = [
  {
    name: 'pause',
    arguments: '<queue>',
    about: 'Stop deliveries of a queue; publishes are still accepted.',
    vhost: true,
    more: 'The queue stays paused, over restarts too, until leveret resume.',
    run: async (api, [name], options) => {
      await api.call('PUT', `/queues/${vhostOf(options)}/${part(String(name))}/pause`);
      return said(`Paused the queue '${name}'`);
    },
  },
  {
    name: 'resume',
    arguments: '<queue>',
    about: 'Deliver the messages of a paused queue again.',
    vhost: true,
    run: async (api, [name], options) => {
      await api.call('PUT', `/queues/${vhostOf(options)}/${part(String(name))}/resume`);
      return said(`Resumed the queue '${name}'`);
    },
  },
];

export const closeVerb: LiveVerb = {
  name: 'close',
  arguments: '<connection> [reason]',
  about: 'Close a connection, by the name that `leveret list connections` shows.',
  run: async (api, [name, reason = ''], _options) => {
    if (!(await api.has(`/connections/${part(String(name))}`))) {
      throw new UserError(`there is no connection '${name}': see leveret list connections`);
    }
    await closeConnection(api, String(name), String(reason));
    return said(`Closed ${name}`);
  },
};
