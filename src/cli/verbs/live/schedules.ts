// Owns the verbs for schedules of a running broker: set, delete, run, times. Never reads a cron expression: the broker
// does.

import { Option } from 'commander';
import { part } from '../../verb/http-api.ts';
import { type LiveVerb, vhostOf } from '../../verb/live.ts';
import type { Arguments, Options } from '../../verb/verb.ts';
import { parseCount, parseJsonOption } from '../../verb/verb-runner.ts';

const CRON = new Option('--cron <expression>', "When, such as '30 2 * * *'.").conflicts('every');
const EVERY = new Option('--every <ms>', 'Every so many milliseconds, from 1000 on.').argParser(
  parseCount,
);
const ZONE = new Option(
  '--time-zone <zone>',
  'The time zone of --cron, such as Europe/Berlin; UTC unless given.',
);

export const scheduleVerbs: readonly LiveVerb[] = [
  {
    name: 'set',
    arguments: '<name> [payload]',
    about: 'Have the broker publish a message at given times.',
    vhost: true,
    options: [
      CRON,
      EVERY,
      ZONE,
      new Option('-x, --exchange <name>', 'The exchange.').default('', 'the default one'),
      new Option('-k, --key <key>', 'The routing key; with the default exchange, a queue.').default(
        '',
      ),
      new Option('--properties <json>', 'Properties, such as {"content_type":"text/plain"}.')
        .argParser(parseJsonOption)
        .default({}, 'none'),
    ],
    more: "Example:\n  leveret schedule set nightly-report --cron '30 2 * * *' --time-zone Europe/Berlin -k reports '{}'",
    run: async (api, [name, payload = ''], options) => {
      await api.call('PUT', pathOf(name, options), {
        ...timingOf(options),
        exchange: options['exchange'],
        routing_key: options['key'],
        properties: options['properties'],
        payload: String(payload),
      });
      return `Set the schedule '${name}' in the vhost '${options['vhost']}'\n`;
    },
  },
  {
    name: 'delete',
    arguments: '<name>',
    about: 'Delete a schedule.',
    vhost: true,
    run: async (api, [name], options) => {
      await api.call('DELETE', pathOf(name, options));
      return `Deleted the schedule '${name}' in the vhost '${options['vhost']}'\n`;
    },
  },
  {
    name: 'run',
    arguments: '<name>',
    about: 'Publish the message of a schedule now, beside its ticks.',
    vhost: true,
    run: async (api, [name], options) => {
      const answer = await api.call('POST', `${pathOf(name, options)}/run`, {});
      const { error } = answer as { readonly error: string | null };
      return error === null
        ? 'Published\n'
        : `Published, but it reached no queue, or not each: ${error}\n`;
    },
  },
  {
    name: 'times',
    about: 'Show when a schedule would tick, without setting it.',
    options: [
      CRON,
      EVERY,
      ZONE,
      new Option('-c, --limit <n>', 'How many times, 20 at most.').argParser(parseCount).default(5),
    ],
    run: async (api, _args, options) => {
      const query = new URLSearchParams({ count: String(options['limit']) });
      for (const [key, value] of Object.entries(timingOf(options))) query.set(key, String(value));
      const { times } = await api.get<{ readonly times: readonly number[] }>(
        `/schedule-times?${query}`,
      );
      return { columns: ['time'], rows: times.map((ms) => ({ time: new Date(ms).toISOString() })) };
    },
  },
];

function pathOf(name: Arguments | undefined, options: Options): string {
  return `/schedules/${vhostOf(options)}/${part(String(name))}`;
}

/** What was said of when; what was not is left out, and the broker says what is missing. */
function timingOf(options: Options): Readonly<Record<string, unknown>> {
  const given = { cron: options['cron'], every: options['every'], time_zone: options['timeZone'] };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
