// Owns how a verb gets at a running broker, and how it ends. Never does what the verb does.

import { Command, Option } from 'commander';
import { FORMATS, type Format, render } from '../output.ts';
import { print, printError } from '../print.ts';
import { HttpApi, targetOf } from './http-api.ts';
import type { Answer, Arguments, Options } from './verb.ts';
import { describe, urlOption } from './verb-runner.ts';

/** One verb that works on a running broker, over its HTTP API. */
export interface LiveVerb {
  readonly name: string;
  readonly arguments?: string;
  readonly about: string;
  readonly options?: readonly Option[];
  /** Whether it takes `-p <vhost>`; `all`: without it, every vhost is meant. */
  readonly vhost?: true | 'all';
  readonly more?: string;
  run(api: HttpApi, args: readonly Arguments[], options: Options): Promise<Answer>;
}

/** Several verbs under one word, such as `list queues`. */
export interface VerbGroup {
  readonly name: string;
  readonly about: string;
  readonly commands: readonly Command[];
}

/** The command of a verb. */
export function liveCommand(verb: LiveVerb): Command {
  const command = new Command(verb.name)
    .description(verb.about)
    .helpOption('-h, --help', 'Show this help.');
  if (verb.arguments !== undefined) command.arguments(verb.arguments);
  if (verb.vhost !== undefined) {
    const option = new Option('-p, --vhost <vhost>', 'The vhost.');
    command.addOption(verb.vhost === 'all' ? option : option.default('/'));
  }
  for (const option of verb.options ?? []) command.addOption(option);
  command.addOption(
    new Option('--format, --formatter <format>', 'How to show what is listed.')
      .choices(FORMATS)
      .default('table'),
  );
  command.addOption(urlOption());
  if (verb.more !== undefined) command.addHelpText('after', `\n${verb.more}`);
  return command.action(async (...given: unknown[]) => {
    const args = given.slice(0, -2) as Arguments[];
    const options = given[args.length] as Options;
    try {
      const api = new HttpApi(targetOf(options['url']));
      const answer = await api.understanding(() => verb.run(api, args, options));
      if (answer === undefined) return;
      const format = options['formatter'] as Format;
      print(typeof answer === 'string' ? answer : render(answer, format));
    } catch (error) {
      printError(`leveret: ${describe(error, null)}\n`);
      process.exitCode = 1;
    }
  });
}

/** The command of a group. */
export function groupCommand({ name, about, commands }: VerbGroup): Command {
  const group = new Command(name)
    .description(about)
    .helpOption('-h, --help', 'Show this help.')
    .helpCommand(false);
  for (const command of commands) group.addCommand(command);
  return group;
}

/** The vhost that was asked for as a part of a path, or nothing for all of them. */
export function vhostPath(options: Options): string {
  const { vhost } = options;
  return typeof vhost === 'string' ? `/${encodeURIComponent(vhost)}` : '';
}

/** The vhost that was asked for. */
export function vhostOf(options: Options): string {
  return encodeURIComponent(String(options['vhost']));
}
