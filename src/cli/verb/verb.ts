// Owns what a verb is: its words, what it is given, and what it may ask of a broker. Never runs one.

import type { Option } from 'commander';
import type { OpenBroker } from '../../main.ts';
import type { Listing } from '../output.ts';

/** The window on the data folder of a stopped broker. */
export type View = OpenBroker['view'];

/** What verbs need of a broker: that of a stopped one, or of one that runs, which takes a while. */
export type VerbView = {
  [K in ViewMethod]: (...args: Parameters<View[K]>) => Awaitable<ReturnType<View[K]>>;
};

type Awaitable<T> = T | Promise<Awaited<T>>;

type ViewMethod =
  | 'addUser'
  | 'addVhost'
  | 'authenticates'
  | 'bindings'
  | 'changePassword'
  | 'changeVhost'
  | 'clearGlobalParameter'
  | 'clearParameter'
  | 'clearPassword'
  | 'clearPermission'
  | 'clearPolicy'
  | 'clearTopicPermission'
  | 'deleteQueue'
  | 'deleteUser'
  | 'deleteVhost'
  | 'exchanges'
  | 'existingUser'
  | 'exportDefinitions'
  | 'globalParameters'
  | 'importDefinitions'
  | 'parameters'
  | 'permissions'
  | 'policies'
  | 'purgeQueue'
  | 'queues'
  | 'setGlobalParameter'
  | 'setParameter'
  | 'setPermission'
  | 'setPolicy'
  | 'setTopicPermission'
  | 'setUserLimits'
  | 'setUserTags'
  | 'setVhostLimits'
  | 'topicPermissions'
  | 'userLimits'
  | 'users'
  | 'vhostLimits'
  | 'vhosts';

/** The options that a verb was given. */
export type Options = Readonly<Record<string, unknown>>;

/** One verb that works on a broker, be it stopped or running. */
export interface Verb {
  readonly name: string;
  /** The arguments, as commander writes them: `<name> [password]`. */
  readonly arguments?: string;
  readonly about: string;
  readonly options?: readonly Option[];
  /** Whether it takes `-p <vhost>`; `all`: without it, every vhost is meant. */
  readonly vhost?: true | 'all';
  /** Lines behind the help. */
  readonly more?: string;
  /** Does it. What it returns is printed; what it throws ends the process with 1. */
  run(view: VerbView, args: readonly Arguments[], options: Options): Answer | Promise<Answer>;
}

/** One verb that needs no data folder. */
export interface LoneVerb extends Omit<Verb, 'run' | 'vhost'> {
  runAlone(main: Main, args: readonly Arguments[]): Promise<Answer>;
}

/** What such a verb may use. */
export type Main = Pick<typeof import('../../main.ts'), 'hashForDefinitions'>;

/** One argument; several where the verb takes a list. */
export type Arguments = string | undefined | readonly string[];

/** What a verb says: rows, a text as it is, or nothing. */
export type Answer = Listing | string | undefined;
