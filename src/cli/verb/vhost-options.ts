// Owns the options that say what a new vhost is like. Never makes one.

import { Option } from 'commander';

/** The options of `add_vhost`; without `types`, the broker is left to judge the type of queues. */
export function vhostOptions(types: readonly string[] | null = null): Option[] {
  const type = new Option(
    '--default-queue-type <type>',
    'The type of queues that are declared without one.',
  );
  return [
    new Option('--description <text>', 'What it is for.'),
    new Option('--tags <tags>', 'Its tags, separated by commas.'),
    types === null ? type : type.choices(types),
  ];
}
