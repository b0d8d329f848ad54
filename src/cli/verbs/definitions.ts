// Owns the verbs export_definitions and import_definitions. Never reads a definition: the broker
// does.

import { fstatSync, statSync } from 'node:fs';
import { Option } from 'commander';
import { ConfigError, ConfigErrors } from '../../config/config-error.ts';
import { readDefinitionFile } from '../../config/definition-files.ts';
import { jsonText } from '../../util/json/json-writer.ts';
import { wayOutOf } from '../../util/system/system-error.ts';
import { writeWholeFile } from '../../util/system/write-whole.ts';
import { UserError } from '../../util/user-error.ts';
import { UnavailableError } from '../exit-codes.ts';
import { tellOfTerminal } from '../print.ts';
import { ApiError, StrangeAnswerError } from '../verb/http-api.ts';
import type { Verb } from '../verb/verb.ts';

/** Definitions hold the hashes of passwords. */
const FILE_MODE = 0o600;

/** Whether it is about what the file says: not about the way to a broker, a login, or a vhost that is not there. */
function refusesFile(error: UserError): boolean {
  if (error instanceof UnavailableError || error instanceof StrangeAnswerError) return false;
  if (error instanceof ApiError) return error.status === 400;
  return 'kind' in error && error.kind === 'invalid';
}

/** The error with a line for each cause, where the broker has refused what is in the file. */
function asRefusal(file: string, error: unknown): unknown {
  if (!(error instanceof UserError) || !refusesFile(error)) return error;
  const [head = '', ...causes] = error.message.split('\n');
  const wrong = (causes.length === 0 ? [head] : causes).map(
    (cause) => new ConfigError(file, cause, 'correct it, or take the rest by --skip-unsupported'),
  );
  return wrong.length === 1 ? wrong[0] : new ConfigErrors('definitions', wrong);
}

/** What is no object has nothing that could be skipped. Throws a ConfigError. */
function requireObject(path: string, json: unknown): void {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return;
  const found = Array.isArray(json) ? 'a list' : json === null ? 'null' : `a ${typeof json}`;
  throw new ConfigError(
    path,
    `definitions are an object with "queues", "users" and the like, and this is ${found}`,
    'name a file that a broker exported',
  );
}

/** Whether a path, such as `/dev/stdout`, leads to where standard output goes. */
function isStandardOutput(path: string): boolean {
  try {
    const [named, output] = [statSync(path), fstatSync(1)];
    return named.dev === output.dev && named.ino === output.ino;
  } catch {
    return false;
  }
}

export const definitionVerbs: readonly Verb[] = [
  {
    name: 'export_definitions',
    arguments: '<file>',
    about: "Export all definitions as JSON in RabbitMQ's format; '-' is standard output.",
    vhost: 'all',
    more: 'With -p only what lies in that vhost, for an import into any.',
    // What goes to standard output is JSON, and nothing else.
    done: ([file]) =>
      isStandardOutput(String(file)) ? undefined : `Exported the definitions to ${file}`,
    run: async (view, [file], { vhost }) => {
      const json = await view.exportDefinitions(vhost as string | undefined);
      const text = `${jsonText(json, 2)}\n`;
      if (file === '-') return text;
      try {
        writeWholeFile(String(file), text, FILE_MODE);
      } catch (error) {
        const wayOut = wayOutOf(error);
        const what = `${file} cannot be written (${(error as Error).message})`;
        throw new UserError(wayOut === null ? what : `${what}: ${wayOut}`);
      }
      return undefined;
    },
  },
  {
    name: 'import_definitions',
    arguments: '[file]',
    about: "Import definitions, all or nothing; without a file, or with '-', from standard input.",
    vhost: 'all',
    options: [
      new Option('--skip-unsupported', 'Leave out unsupported definitions, and list them.'),
      // What is there already is left as it is in any case.
      new Option('--skip-if-unchanged').hideHelp(),
    ],
    more: 'With -p everything goes into that vhost, which must exist.',
    done: ([file = '-']) =>
      `Imported the definitions from ${file === '-' ? 'standard input' : file}`,
    run: async (view, [file = '-'], { vhost, skipUnsupported }) => {
      if (file === '-') tellOfTerminal('definitions');
      const { path, json } = readDefinitionFile(String(file));
      requireObject(path, json);
      const options = {
        vhost: vhost as string | undefined,
        skipUnsupported: skipUnsupported === true,
      };
      let warnings: readonly string[];
      try {
        warnings = await view.importDefinitions(json, options);
      } catch (error) {
        throw asRefusal(String(file), error);
      }
      return warnings.length === 0 ? undefined : warnings.map((warning) => `${warning}\n`).join('');
    },
  },
];
