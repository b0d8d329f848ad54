// Owns the verbs for policies and operator policies: set_*, clear_*, list_*. Never knows a key: the
// broker does.

import { Option } from 'commander';
import type { Verb } from '../verb/verb.ts';
import { parseInteger, parseJson } from '../verb/verb-runner.ts';

const COLUMNS = ['vhost', 'name', 'pattern', 'apply-to', 'definition', 'priority'];
const TARGETS = ['all', 'queues', 'classic_queues', 'quorum_queues', 'streams', 'exchanges'];

interface Layer {
  readonly layer: 'policy' | 'operator_policy';
  /** In the names of the verbs, for one and for several. */
  readonly one: string;
  readonly several: string;
  readonly what: string;
  readonly example: string;
}

const LAYERS: readonly Layer[] = [
  {
    layer: 'policy',
    one: 'policy',
    several: 'policies',
    what: 'policy',
    example: `{command} short '^jobs\\.' '{"max-length":1000}' --apply-to queues`,
  },
  {
    layer: 'operator_policy',
    one: 'operator_policy',
    several: 'operator_policies',
    what: 'operator policy',
    example: `{command} cap '.*' '{"message-ttl":86400000}'`,
  },
];

export const policyVerbs: readonly Verb[] = LAYERS.flatMap(verbsOf);

function verbsOf({ layer, one, several, what, example }: Layer): Verb[] {
  return [
    {
      name: `set_${one}`,
      arguments: '<name> <pattern> <definition>',
      about: `Set the ${what} of that name, for all queues and exchanges that match.`,
      vhost: true,
      more: `The definition is a JSON object. Example:\n  ${example}`,
      options: [
        new Option('--priority <n>', 'If several policies match, the highest priority wins.')
          .argParser(parseInteger)
          .default(0),
        new Option('--apply-to <targets>', 'What it is for.').choices(TARGETS).default('all'),
      ],
      done: ([name], { vhost }) => `Set the ${what} '${name}' in the vhost '${vhost}'`,
      run: async (view, [name, pattern, definition], options) => {
        await view.setPolicy(layer, String(options['vhost']), String(name), {
          pattern: String(pattern),
          definition: parseJson(String(definition)),
          priority: options['priority'],
          applyTo: options['applyTo'],
        });
        return undefined;
      },
    },
    {
      name: `clear_${one}`,
      arguments: '<name>',
      about: `Take the ${what} of that name away.`,
      vhost: true,
      done: ([name], { vhost }) => `Cleared the ${what} '${name}' in the vhost '${vhost}'`,
      run: async (view, [name], { vhost }) => {
        await view.clearPolicy(layer, String(vhost), String(name));
        return undefined;
      },
    },
    {
      name: `list_${several}`,
      about: `List the ${what === 'policy' ? 'policies' : 'operator policies'} of a vhost, by priority.`,
      vhost: true,
      run: async (view, _args, { vhost }) => ({
        columns: COLUMNS,
        rows: await view.policies(layer, String(vhost)),
      }),
    },
  ];
}
