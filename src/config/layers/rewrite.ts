// Owns printing an old file in Erlang terms as a config file: what is printed is what was checked. Never prints a line
// that a config file would read as something else.

import { ConfigError } from '../config-error.ts';
import { placeOf } from '../origin.ts';
import { type ClassicLine, readClassic, whyNeedless } from '../rabbitmq/classic.ts';
import { TermFault } from '../rabbitmq/erlang-terms.ts';
import { PLUGINS } from '../rabbitmq/plugins.ts';
import { parseConf } from './conf-file.ts';
import type { Draft, Meaning } from './draft.ts';
import { applyLines, isInterpolated, type ReadLine } from './files.ts';
import type { Environment } from './machine.ts';

/** The lines of a file, with comments on what they mean here; what they say is laid into the draft. */
export function rewrite(file: string, text: string, env: Environment, draft: Draft): string {
  const refuse = (line: number, what: string, wayOut: string): void => {
    const fault = new ConfigError(`${file}:${line}`, what, wayOut);
    draft.note({ from: 'file', file, line }, '', '', { is: 'refused', fault });
  };
  try {
    const { lines, untold } = readClassic(text);
    const before = draft.told.length;
    applyLines(
      lines.map((line) => readAgain(file, line)),
      env,
      draft,
    );
    const meanings = draft.told.slice(before);
    const written = lines.map(([key, value], at) =>
      commented(`${key} = ${value}`, meanings[at]?.meaning),
    );
    for (const [name, line] of untold) {
      const needless = whyNeedless(name);
      if (needless !== null) {
        written.push(comment(`${name} needs no line: ${needless}`));
        continue;
      }
      const [what, wayOut] = whyUntold(name);
      refuse(line, what, wayOut);
      written.push(comment(what));
    }
    return `${written.join('\n')}\n`;
  } catch (error) {
    if (!(error instanceof TermFault)) throw error;
    refuse(error.line, error.message, 'correct the file');
    return '';
  }
}

/** What is said of a setting without a line: it is of a plugin that is not here, or of none that is known. */
function whyUntold(name: string): readonly [what: string, wayOut: string] {
  const app = name.split('.')[0] as string;
  const plugin = PLUGINS.get(app);
  if (plugin?.is === 'not here') {
    const but = plugin.but === undefined ? '' : ` (${plugin.but})`;
    const wayOut = 'remove it if nothing needs that plugin; else keep RabbitMQ for it';
    return [`${name} is for the plugin ${app}, which is not here${but}`, wayOut];
  }
  return [
    `${name} has no line in a config file, and no meaning here`,
    'remove it, or look in docs/configuration.md for a setting that does the same',
  ];
}

/** What a config file would read where this line is printed; a fault, where that is not what the old file says. */
function readAgain(file: string, [key, value, line]: ClassicLine): ReadLine {
  const name = key.replaceAll('\\.', '.');
  const [read, ...others] = parsed(file, `${key} = ${value}`);
  if (read?.key === name && others.length === 0 && !isInterpolated(read.value)) {
    return { ...read, line };
  }
  const fault = new ConfigError(
    placeOf({ from: 'file', file, line }, name),
    'a config file cannot say this',
    "choose a name and a value without control characters, without $(NAME), and without both # and '",
  );
  return { file, line, fault };
}

function parsed(file: string, line: string): ReturnType<typeof parseConf> {
  try {
    return parseConf(file, line);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [];
  }
}

/** A line with what it means here, where that is not what it says. */
function commented(line: string, meaning: Meaning | undefined): string {
  if (meaning?.is === 'without effect') {
    return `${comment(`without effect here: ${meaning.why}`)}\n${line}`;
  }
  if (meaning?.is === 'refused') {
    return `${comment(`refused: ${meaning.fault.message}`)}\n${comment(line)}`;
  }
  return line;
}

/** A text as a comment, each line of it. */
function comment(text: string): string {
  return text.replaceAll(/^|\r\n?|\n/g, (end) => `${end}# `);
}
