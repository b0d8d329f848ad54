// Owns where a machine has what no flag names: its folder of configuration, and whether it is a container. Never reads
// a config file.

import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The variables that a process was started with. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What a start looks at beside its command line and its environment. */
export interface Machine {
  /** Where `etc/` lies; null: no file is looked for. */
  readonly root: string | null;
  /** Whether this is a container, unless the settings say. */
  readonly inContainer: boolean;
}

/** Names the config files, in place of `--config`. */
export const CONFIG_VARIABLE = 'LEVERET_CONFIG';
/** Names another root than `/` for config files: for a tree that is being prepared, and for tests. */
export const ROOT_VARIABLE = 'LEVERET_CONFIG_ROOT';

/** Files that container engines make. */
const MARKS = ['.dockerenv', 'run/.containerenv'];

/** This machine for a start that a test makes: its files are none of the test's, unless a variable names a root. */
export function machineForTests(env: Environment): Machine {
  const machine = thisMachine(env);
  return (env[ROOT_VARIABLE] ?? '') === '' ? { ...machine, root: null } : machine;
}

/** This machine. The marks of a container lie below `marksAt`, whatever root a variable names for config files. */
export function thisMachine(env: Environment, marksAt = '/'): Machine {
  const given = env[ROOT_VARIABLE] ?? '';
  const root = given === '' ? '/' : given;
  const kubernetes = (env['KUBERNETES_SERVICE_HOST'] ?? '') !== '';
  return { root, inContainer: kubernetes || MARKS.some((mark) => existsSync(join(marksAt, mark))) };
}
