// Owns what rabbitmq-plugins says: which of RabbitMQ's plugins are built in. Never loads or unloads anything.

import { Option } from 'commander';
import { PLUGINS } from '../../config/rabbitmq/plugins.ts';
import { suggest } from '../../config/suggest.ts';
import { RABBITMQ_VERSION } from '../../util/system/rabbitmq-version.ts';
import { EXIT_SOFTWARE, EXIT_UNAVAILABLE } from '../exit-codes.ts';
import { type CtlCall, CtlError, type CtlVerb } from './ctl-verb.ts';

const ALL = [...PLUGINS.keys()];
const ENABLED = ALL.filter(isBuiltIn);

function isBuiltIn(name: string): boolean {
  return PLUGINS.get(name)?.is === 'built in';
}

/** How a list marks it: `E`, `e`, or not at all. */
function markOf(name: string): string {
  const plugin = PLUGINS.get(name);
  return plugin?.is === 'built in' ? plugin.mark : '';
}

const MODES = [
  new Option('--offline', 'Taken without effect.'),
  new Option('--online', 'Taken without effect.'),
  new Option('--all', 'All plugins.'),
];

/** Refuses a name that no release of RabbitMQ has. */
function requireKnown(names: readonly string[]): void {
  const unknown = names.filter((name) => !ALL.includes(name));
  if (unknown.length === 0) return;
  const meant = suggest(unknown[0] as string, ALL);
  const hint = meant === null ? 'see rabbitmq-plugins list' : `did you mean ${meant}?`;
  throw new CtlError(
    EXIT_SOFTWARE,
    `{:plugins_not_found, [${unknown.map((name) => `:${name}`).join(', ')}]}: ${hint}`,
  );
}

const configured = (node: string): string =>
  `The following plugins have been configured:\n${ENABLED.map((name) => `  ${name}\n`).join('')}` +
  `Applying plugin configuration to ${node}...\nPlugin configuration unchanged.\n`;

function list({ node, words, options }: CtlCall): string {
  const [pattern = ''] = words;
  const wanted = ALL.filter((name) => {
    if (!name.includes(pattern)) return false;
    if (options['enabled'] === true) return markOf(name) === 'E';
    return options['implicitlyEnabled'] === true ? isBuiltIn(name) : true;
  });
  if (options['minimal'] === true) return wanted.map((name) => `${name}\n`).join('');
  const widest = Math.max(0, ...wanted.map((name) => name.length));
  const lines = wanted.map((name) => {
    const sign = isBuiltIn(name) ? `${markOf(name)}*` : '  ';
    return `[${sign}] ${name.padEnd(widest)} ${isBuiltIn(name) ? RABBITMQ_VERSION : ''}`.trimEnd();
  });
  const heads = [
    ' Configured: E = explicitly enabled; e = implicitly enabled',
    ` | Status: * = running on ${node}`,
    ' |/',
  ];
  return `${[...heads, ...lines].join('\n')}\n`;
}

/** Plugins as the subject of a sentence, with its verb: `Plugin a is`, `Plugins a, b are`. */
function subjectOf(names: readonly string[]): string {
  const all = names.join(', ');
  return names.length === 1 ? `Plugin ${all} is` : `Plugins ${all} are`;
}

/** The verbs of rabbitmq-plugins; none of them needs the broker, which is asked for its name at most. */
export const PLUGIN_VERBS: readonly CtlVerb[] = [
  {
    name: 'list',
    arguments: '[pattern]',
    about: 'List the plugins of RabbitMQ, and which of them are built in.',
    options: [
      new Option('-v, --verbose', 'Taken without effect.'),
      new Option('-m, --minimal', 'Names alone.'),
      new Option('-E, --enabled', 'Those that RabbitMQ is told to enable.'),
      new Option('-e, --implicitly-enabled', 'Those that are built in.'),
    ],
    namesNode: true,
    // Before bare names it would be taken for one.
    banner: ({ words: [pattern = '.*'], options }) =>
      options['minimal'] === true ? '' : `Listing plugins with pattern "${pattern}" ...`,
    run: list,
  },
  {
    name: 'is_enabled',
    arguments: '<plugins...>',
    about: 'Ends with 0 when all of them are built in.',
    options: MODES,
    namesNode: true,
    banner: ({ node, words }) => `Asking node ${node} if p${subjectOf(words).slice(1)} enabled...`,
    run: ({ node, words }) => {
      const missing = words.filter((name) => !isBuiltIn(name));
      if (missing.length === 0) {
        return `${subjectOf(words)} enabled on node ${node}\n`;
      }
      throw new CtlError(
        EXIT_UNAVAILABLE,
        `${subjectOf(missing)} not enabled on node ${node}. Enabled plugins and dependencies: ${ENABLED.join(', ')}`,
      );
    },
  },
  {
    name: 'enable',
    arguments: '[plugins...]',
    about: 'Nothing to do for those that are built in or needless; refuses all others.',
    options: MODES,
    namesNode: true,
    banner: ({ node, words }) => `Enabling plugins on node ${node}:\n${words.join('\n')}`,
    run: ({ node, words }) => {
      requireKnown(words);
      return requireHere(words) + configured(node);
    },
  },
  {
    name: 'disable',
    arguments: '[plugins...]',
    about: 'Nothing to do for those that are not there; what is built in cannot be disabled.',
    options: MODES,
    namesNode: true,
    banner: ({ node, words }) => `Disabling plugins on node ${node}:\n${words.join('\n')}`,
    run: ({ node, words }) => {
      requireKnown(words);
      const builtIn = words.filter(isBuiltIn);
      if (builtIn.length === 0) return configured(node);
      throw new CtlError(
        EXIT_SOFTWARE,
        `${builtIn.join(', ')} cannot be disabled: ${builtIn.length === 1 ? 'it is' : 'they are'} built in. To close its port, set management.tcp.port or prometheus.tcp.port to none`,
      );
    },
  },
  {
    name: 'set',
    arguments: '[plugins...]',
    about: 'Nothing to do for those that are built in or needless; refuses all others.',
    options: MODES,
    namesNode: true,
    run: ({ node, words }) => {
      requireKnown(words);
      return requireHere(words) + configured(node);
    },
  },
  {
    name: 'directories',
    about: 'There are none: plugins are built in.',
    lenient: true,
    run: () => 'Plugins are built in: there are no folders of them\n',
  },
];

/** Refuses what is not here; returns lines on what needs nothing. */
function requireHere(names: readonly string[]): string {
  const missing = names.filter((name) => PLUGINS.get(name)?.is === 'not here');
  if (missing.length === 0) return names.map(needless).join('');
  const parts = [
    `${missing.join(', ')} cannot be enabled: Leveret has no plugins, and ${missing.length === 1 ? 'this is' : 'these are'} not built in`,
    ...missing.flatMap((name) => {
      const plugin = PLUGINS.get(name);
      return plugin?.is === 'not here' && plugin.but !== undefined ? [plugin.but] : [];
    }),
    'docs/differences.md says what there is',
  ];
  throw new CtlError(EXIT_SOFTWARE, parts.join('; '));
}

function needless(name: string): string {
  const plugin = PLUGINS.get(name);
  return plugin?.is === 'needless' ? `${name} has nothing to do here: ${plugin.why}\n` : '';
}
