// Owns how every verb of `leveret` shows what it found, and how it ends. Never does what a verb does.

import { Option } from 'commander';
import { exitCodeOf } from '../exit-codes.ts';
import { FORMATS, type Format, render } from '../output.ts';
import { print, printError } from '../print.ts';
import type { Answer, Options } from './verb.ts';

/** The options that say how to show an answer. */
export function formatOptions(): Option[] {
  return [
    new Option('--json', 'Show it as JSON.'),
    new Option('--format, --formatter <format>', 'table or json.')
      .choices(FORMATS)
      .default('table'),
  ];
}

/** How an answer is to be shown. */
export function formatOf(options: Options): Format {
  return options['json'] === true ? 'json' : (options['formatter'] as Format);
}

/** Prints an answer. As JSON it is a list, an object, or what was done as `{"ok":true,"message":...}`. */
export function tell(answer: Answer, options: Options): void {
  const format = formatOf(options);
  if (answer === undefined || typeof answer === 'string') {
    const text = answer ?? '';
    print(format === 'json' && !isJson(text) ? `${JSON.stringify(done(text))}\n` : text);
    return;
  }
  // Standard output stays as a script expects it: nothing at all.
  if (answer.rows.length === 0 && format === 'table') printError('There are none\n');
  print(render(answer, format));
}

function done(text: string): object {
  const message = text.trim();
  return message === '' ? { ok: true } : { ok: true, message };
}

/** Whether a verb has made JSON itself: no other text of a verb begins so. */
function isJson(text: string): boolean {
  return /^\s*[[{]/.test(text);
}

/** Ends a verb with an error that is described already. */
export function fail(described: string, error: unknown): void {
  printError(`leveret: ${withoutTerms(described)}\n`);
  process.exitCode = exitCodeOf(error);
}

/** Errors that have RabbitMQ's texts name keys and values as terms of Erlang: `[{<<"a">>,5}]` becomes `'a' (5)`. */
function withoutTerms(text: string): string {
  return text
    .replaceAll(/\[?\{<<"([^"]*)">>,((?:<<"[^"]*">>|[^{}<>])*)\}(?:,\s*)?\]?/g, "'$1' ($2), ")
    .replaceAll(/<<"([^"]*)">>/g, "'$1'")
    .replaceAll(/\), (?=[^'])/g, ') ')
    .replaceAll(/ {2,}/g, ' ');
}
