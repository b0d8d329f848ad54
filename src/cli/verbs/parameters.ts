// Owns the verbs for parameters of vhosts and of the broker: set_*, clear_*, list_*. Never gives a
// parameter a meaning.

import type { Verb } from '../verb/verb.ts';
import { parseJson } from '../verb/verb-runner.ts';

export const parameterVerbs: readonly Verb[] = [
  {
    name: 'set_parameter',
    arguments: '<component> <name> <value>',
    about: 'Set a parameter of a vhost; its value is JSON.',
    vhost: true,
    done: ([component, name], { vhost }) =>
      `Set the parameter '${name}' of ${component} in the vhost '${vhost}'`,
    run: async (view, [component, name, value], { vhost }) => {
      const why = await view.setParameter({
        vhost: String(vhost),
        component: String(component),
        name: String(name),
        value: parseJson(String(value)),
      });
      return why === null ? undefined : `It is kept, and changes nothing: ${why}\n`;
    },
  },
  {
    name: 'clear_parameter',
    arguments: '<component> <name>',
    about: 'Clear a parameter of a vhost.',
    vhost: true,
    done: ([component, name], { vhost }) =>
      `Cleared the parameter '${name}' of ${component} in the vhost '${vhost}'`,
    run: async (view, [component, name], { vhost }) => {
      await view.clearParameter(String(vhost), String(component), String(name));
      return undefined;
    },
  },
  {
    name: 'list_parameters',
    about: 'List the parameters of a vhost.',
    vhost: true,
    run: async (view, _args, { vhost }) => ({
      columns: ['component', 'name', 'value'],
      rows: await view.parameters(String(vhost)),
    }),
  },
  {
    name: 'set_global_parameter',
    arguments: '<name> <value>',
    about: 'Set a parameter of the broker; its value is JSON.',
    done: ([name]) => `Set the global parameter '${name}'`,
    run: async (view, [name, value]) => {
      await view.setGlobalParameter(String(name), parseJson(String(value)));
      return undefined;
    },
  },
  {
    name: 'clear_global_parameter',
    arguments: '<name>',
    about: 'Clear a parameter of the broker.',
    done: ([name]) => `Cleared the global parameter '${name}'`,
    run: async (view, [name]) => {
      await view.clearGlobalParameter(String(name));
      return undefined;
    },
  },
  {
    name: 'list_global_parameters',
    about: 'List the parameters of the broker.',
    run: async (view) => ({
      columns: ['name', 'value'],
      rows: await view.globalParameters(),
    }),
  },
];
