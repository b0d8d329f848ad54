// Owns what a verb is: its words, what it is given, and what it may ask of a broker. Never runs one.

import type { Option } from 'commander';
import type { OpenBroker } from '../../boot/data-folder.ts';
import type { Listing } from '../output.ts';

/** The window on the data folder of a stopped broker. */
export type View = OpenBroker['view'];

/** The commands that verbs give a broker. */
export const COMMANDS = [
  'addUser',
  'addVhost',
  'authenticates',
  'changePassword',
  'changeVhost',
  'clearGlobalParameter',
  'clearParameter',
  'clearPassword',
  'clearPermission',
  'clearPolicy',
  'clearTopicPermission',
  'deleteQueue',
  'deleteUser',
  'deleteVhost',
  'existingUser',
  'exportDefinitions',
  'importDefinitions',
  'purgeQueue',
  'setGlobalParameter',
  'setParameter',
  'setPermission',
  'setPolicy',
  'setTopicPermission',
  'setUserLimits',
  'setUserTags',
  'setVhostLimits',
  'userLimits',
  'vhostLimits',
] as const satisfies readonly (keyof View)[];

/** The commands of a stopped broker, or of one that runs, which take a while. */
export type VerbCommands = {
  [K in (typeof COMMANDS)[number]]: (
    ...args: Parameters<View[K]>
  ) => Awaitable<ReturnType<View[K]>>;
};

type Awaitable<T> = T | Promise<Awaited<T>>;

/** A list of rows with RabbitMQ's names, as the HTTP API shows them; each has at least these fields. */
type Rows<T = object> = Awaitable<readonly T[]>;

/** What verbs list. */
export interface VerbLists {
  users(): Rows<{ readonly name: string; readonly tags: readonly string[] }>;
  vhosts(): Rows<{ readonly name: string }>;
  /** Of one vhost, which has to be there, or of all. */
  permissions(vhost?: string): Rows<{ readonly user: string; readonly vhost: string }>;
  topicPermissions(vhost?: string): Rows<{ readonly user: string; readonly vhost: string }>;
  policies(layer: Parameters<View['setPolicy']>[0], vhost: string): Rows;
  parameters(vhost: string): Rows;
  globalParameters(): Rows;
  queues(vhost: string): Rows;
  exchanges(vhost: string): Rows;
  bindings(vhost: string): Rows;
}

/** What verbs need of a broker. */
export type VerbView = VerbCommands & VerbLists;

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
  /** What `leveret` says of it when it is done and has returned nothing: a sentence, without its full stop. */
  done?(args: readonly Arguments[], options: Options): string | undefined;
  /** Does it. What it returns is printed; what it throws ends the process with 1. */
  run(view: VerbView, args: readonly Arguments[], options: Options): Answer | Promise<Answer>;
}

/** One verb that needs no data folder. */
export interface LoneVerb extends Omit<Verb, 'done' | 'run' | 'vhost'> {
  runAlone(main: Main, args: readonly Arguments[]): Promise<Answer>;
}

/** What such a verb may use. */
export type Main = Pick<typeof import('../../boot/data-folder.ts'), 'hashForDefinitions'>;

/** One argument; several where the verb takes a list. */
export type Arguments = string | undefined | readonly string[];

/** What a verb says: rows, a text as it is, or nothing. */
export type Answer = Listing | string | undefined;
