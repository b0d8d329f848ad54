// Owns how a verb gets at a running broker, and how it ends. Never does what the verb does.

import { Command, Option } from 'commander';
import { UsageError } from '../exit-codes.ts';
import { fail, formatOptions, tell } from './answers.ts';
import { refuseEmptyNames } from './empty-argument.ts';
import { addMore } from './help.ts';
import { HttpApi } from './http-api.ts';
import { targetFor, targetOptions } from './target-options.ts';
import type { Answer, Arguments, Options } from './verb.ts';
import { describe } from './verb-runner.ts';

/** One verb that works on a running broker, over its HTTP API. */
export interface LiveVerb {
  readonly name: string;
  readonly arguments?: string;
  readonly about: string;
  readonly options?: readonly Option[];
  /** Whether it takes `-p <vhost>`; `all`: without it, every vhost is meant. */
  readonly vhost?: true | 'all';
  readonly more?: string;
  /** What to say of more arguments than it takes, where they tell of a mistake that many make. */
  readonly excess?: string;
  /** It prints by itself, as it goes. */
  readonly streams?: true;
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
  for (const option of [...formatOptions(), ...targetOptions()]) command.addOption(option);
  if (verb.excess !== undefined) command.allowExcessArguments();
  addMore(command, verb.more);
  return command.action(async (...given: unknown[]) => {
    const args = given.slice(0, -2) as Arguments[];
    const options = given[args.length] as Options;
    try {
      if (verb.excess !== undefined && command.args.length > args.length)
        throw new UsageError(verb.excess);
      refuseEmptyNames(command.registeredArguments, args);
      const api = new HttpApi(targetFor(options));
      const answer = await api.understanding(() => verb.run(api, args, options));
      if (!(verb.streams ?? false)) tell(answer, options);
    } catch (error) {
      fail(describe(error, null), error);
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
