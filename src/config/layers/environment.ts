// Owns laying the variables of the environment into a draft, and the warnings about those that set nothing. Never
// knows a single setting by name: the table does.

import { join } from 'node:path';
import { readWholeFile, SMALL_FILE_BYTES_MAX } from '../../util/system/whole-file.ts';
import { ConfigError, unreadable } from '../config-error.ts';
import type { Origin } from '../origin.ts';
import { parseEnvFile } from '../rabbitmq/env-file.ts';
import { isOfRabbitmq, linesOfVariables, VALUE_FILES, whyUnheard } from '../rabbitmq/variables.ts';
import { suggest } from '../suggest.ts';
import type { Draft } from './draft.ts';
import { ROWS } from './draft.ts';
import { CONFIG_VARIABLE, type Environment, ROOT_VARIABLE } from './machine.ts';
import { existing, readIfPossible } from './optional-files.ts';

/** Variables with their texts and where these stand; those that are empty or service links are not among them. */
export type Variables = ReadonlyMap<string, { readonly text: string; readonly origin: Origin }>;

const VARIABLES = ROWS.flatMap(([, row]) => row.variables.map((variable) => variable.name));
const ENV_FILE = 'etc/rabbitmq/rabbitmq-env.conf';
/** Those that no setting has: of the start, of the tools, and of a process that `leveret check` starts. */
const OTHERS = [CONFIG_VARIABLE, ROOT_VARIABLE, 'LEVERET_URL', 'LEVERET_CHECK_CHILD'];

/** The variables of the process, over those that the rabbitmq-env.conf of a RabbitMQ below `root` assigns; null: none is read. */
export function gatherVariables(
  env: Environment,
  root: string | null,
  warnings: string[],
): Variables {
  const all = new Map<string, { text: string; origin: Origin }>();
  for (const [name, text = ''] of Object.entries(env)) {
    // An empty variable is how a compose file says that it is not set.
    if (text === '' || isServiceLink(name, text)) continue;
    all.set(name, { text, origin: { from: 'environment', name } });
  }
  if (root === null) return all;
  const file = all.get('RABBITMQ_CONF_ENV_FILE')?.text ?? join(root, ENV_FILE);
  if (existing(file).length === 0) return all;
  const { assignments, unread } = parseEnvFile(readIfPossible(file, warnings) ?? '');
  for (const { line, name, text } of assignments) {
    if (text !== '' && !all.has(name))
      all.set(name, { text, origin: { from: 'file', file, line } });
  }
  if (unread.length > 0) {
    warnings.push(
      `${file}: lines that only a shell understands are not read: ${unread.join(', ')}`,
    );
  }
  return all;
}

/** Lays the variables over what is there; returns warnings about those that look like a mistake. */
export function applyVariables(variables: Variables, draft: Draft): readonly string[] {
  const texts = new Map([...variables].map(([name, { text }]) => [name, text]));
  const ofRabbitmq = new Map([...texts].filter(([name]) => isOfRabbitmq(name)));
  const originOf = (name: string): Origin =>
    variables.get(name)?.origin ?? { from: 'environment', name };
  for (const { variable, key, value } of linesOfVariables(ofRabbitmq)) {
    draft.key(originOf(variable), key, value);
  }
  for (const name of VALUE_FILES) applyValueFile(name, variables, draft);
  for (const [field, row] of ROWS) {
    for (const variable of row.variables) {
      const text = texts.get(variable.name);
      if (text !== undefined) draft.spelling(originOf(variable.name), variable, text, field);
    }
  }
  return [...ownWarnings(texts), ...foreignWarning(ofRabbitmq)];
}

/** A variable whose file has the value, as the secrets of Docker do. */
function applyValueFile(name: string, variables: Variables, draft: Draft): void {
  const found = variables.get(name);
  if (found === undefined) return;
  const { origin, text: path } = found;
  const variable = name.replace(/_FILE$/, '');
  const [field, row] = ROWS.find(([, each]) =>
    each.variables.some((spelling) => spelling.name === variable),
  ) as (typeof ROWS)[number];
  const spelling = row.variables.find((each) => each.name === variable);
  try {
    if (variables.has(variable)) {
      const what = `${variable} is set too`;
      throw new ConfigError(`environment: ${name}`, what, 'leave one of them out');
    }
    const text = readSecret(path);
    if (spelling !== undefined) draft.spelling(origin, spelling, text, field);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    draft.note(origin, name, path, { is: 'refused', fault: error });
  }
}

function readSecret(path: string): string {
  try {
    return readWholeFile(path, SMALL_FILE_BYTES_MAX)
      .toString()
      .replace(/\r?\n$/, '');
  } catch (error) {
    throw unreadable(path, error);
  }
}

function ownWarnings(texts: ReadonlyMap<string, string>): string[] {
  const known = [...VARIABLES, ...OTHERS];
  return [...texts.keys()].flatMap((name) => {
    if (!name.startsWith('LEVERET_') || known.includes(name)) return [];
    const meant = suggest(name, known);
    const guess = meant === null ? '' : `; did you mean ${meant}?`;
    return [`environment: ${name}: there is no setting of this name${guess}`];
  });
}

/** One line about all variables of RabbitMQ that set nothing. */
function foreignWarning(texts: ReadonlyMap<string, string>): string[] {
  const unheard = [...texts].flatMap(([name, text]) => {
    const why = whyUnheard(name, text, VARIABLES);
    return why === null ? [] : [`${name} (${why})`];
  });
  if (unheard.length === 0) return [];
  return [`variables of RabbitMQ that set nothing here: ${unheard.join(', ')}`];
}

/**
 * Whether Kubernetes or Docker set this variable for a service called `leveret`
 * (`LEVERET_PORT=tcp://10.0.0.1:5672`, `LEVERET_SERVICE_HOST`), rather than a person.
 */
function isServiceLink(name: string, text: string): boolean {
  if (!/^(LEVERET|RABBITMQ)_/.test(name)) return false;
  return (
    /_SERVICE_(HOST|PORT)|_PORT_\d+_(TCP|UDP|SCTP)/.test(name) ||
    (/_PORT$/.test(name) && /^(tcp|udp|sctp):/.test(text))
  );
}
