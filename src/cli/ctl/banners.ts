// Owns what RabbitMQ's tools say before verbs that `leveret` has too, and how these end. Never runs a verb.

import { UserError } from '../../util/user-error.ts';
import {
  EXIT_DATA,
  EXIT_NO_USER,
  EXIT_SOFTWARE,
  EXIT_UNAVAILABLE,
  EXIT_USAGE,
} from '../exit-codes.ts';
import { EmptyArgumentError } from '../verb/empty-argument.ts';
import { ApiError } from '../verb/http-api.ts';
import type { Missing } from '../verb/missing.ts';
import type { Arguments, Options } from '../verb/verb.ts';
import { CtlError } from './ctl-verb.ts';

type Banner = (args: readonly Arguments[], options: Options) => string;

const named =
  (what: string): Banner =>
  ([name]) =>
    `${what} "${name}" ...`;
const quoted =
  (what: string): Banner =>
  (_args, { vhost }) =>
    `Listing ${what} for vhost "${vhost}" ...`;

/** What is said before each, without -q. */
export const BANNERS: Readonly<Record<string, Banner>> = {
  add_user: named('Adding user'),
  change_password: named('Changing password for user'),
  clear_password: named('Clearing password for user'),
  authenticate_user: named('Authenticating user'),
  set_user_tags: ([name, tags]) =>
    `Setting tags for user "${name}" to [${(tags as readonly string[]).join(', ')}] ...`,
  set_permissions: ([name], { vhost }) =>
    `Setting permissions for user "${name}" in vhost "${vhost}" ...`,
  clear_permissions: ([name], { vhost }) =>
    `Clearing permissions for user "${name}" in vhost "${vhost}" ...`,
  list_permissions: quoted('permissions'),
  set_topic_permissions: ([name, exchange], { vhost }) =>
    `Setting topic permissions on "${exchange}" for user "${name}" in vhost "${vhost}" ...`,
  clear_topic_permissions: ([name], { vhost }) =>
    `Clearing topic permissions for user "${name}" in vhost "${vhost}" ...`,
  list_topic_permissions: quoted('topic permissions'),
  set_policy: ([name, pattern, definition], { vhost, priority }) =>
    `Setting policy "${name}" for pattern "${pattern}" to "${definition}" with priority "${priority}" for vhost "${vhost}" ...`,
  clear_policy: ([name], { vhost }) => `Clearing policy "${name}" on vhost "${vhost}" ...`,
  set_operator_policy: ([name, pattern, definition], { vhost, priority }) =>
    `Setting operator policy override "${name}" for pattern "${pattern}" to "${definition}" with priority "${priority}" for vhost "${vhost}" ...`,
  clear_operator_policy: ([name], { vhost }) =>
    `Clearing operator policy "${name}" on vhost "${vhost}" ...`,
  set_parameter: ([component, name, value], { vhost }) =>
    `Setting runtime parameter "${name}" for component "${component}" to "${value}" in vhost "${vhost}" ...`,
  clear_parameter: ([component, name], { vhost }) =>
    `Clearing runtime parameter "${name}" for component "${component}" on vhost "${vhost}" ...`,
  set_global_parameter: ([name, value]) =>
    `Setting global runtime parameter "${name}" to "${value}" ...`,
  clear_global_parameter: named('Clearing global runtime parameter'),
  set_vhost_limits: ([limits], { vhost }) =>
    `Setting vhost limits to "${limits}" for vhost "${vhost}" ...`,
  clear_vhost_limits: (_args, { vhost }) => `Clearing vhost "${vhost}" limits ...`,
  set_user_limits: ([name, limits]) => `Setting user limits to "${limits}" for user "${name}" ...`,
  clear_user_limits: ([name, limit]) => `Clearing "${limit}" limit for user "${name}" ...`,
  trace_on: (_args, { vhost }) => `Starting tracing for vhost "${vhost}" ...`,
  trace_off: (_args, { vhost }) => `Stopping tracing for vhost "${vhost}" ...`,
  delete_queue: ([name], { vhost, ifEmpty, ifUnused }) => {
    const conditions = [...(ifEmpty ? ['empty'] : []), ...(ifUnused ? ['unused'] : [])];
    const only = conditions.length === 0 ? '' : ` if queue is ${conditions.join(' and ')}`;
    return `Deleting queue '${name}' on vhost '${vhost}'${only} ...`;
  },
  purge_queue: ([name], { vhost }) => `Purging queue '${name}' in vhost '${vhost}' ...`,
  export_definitions: ([file]) =>
    file === '-' ? '' : `Exporting definitions in JSON to a file at "${file}" ...`,
  import_definitions: ([file = '-']) =>
    file === '-'
      ? 'Importing definitions in JSON from standard input ...'
      : `Importing definitions in JSON from a file at "${file}" ...`,
};

/** What a failure of such a verb is to RabbitMQ's tools, which have a code for some. */
export function judged(verb: string, args: readonly Arguments[], options: Options, error: unknown) {
  if (!(error instanceof UserError)) return error;
  const { advice } = error;
  const missing = error instanceof ApiError ? ofMissing(verb, error.missing) : null;
  if (missing !== null) return missing;
  if (error instanceof EmptyArgumentError) return new CtlError(EXIT_DATA, advice);
  if (verb === 'add_user' && advice.includes('already')) {
    return new CtlError(EXIT_SOFTWARE, `User "${args[0]}" already exists`);
  }
  if (verb === 'authenticate_user') {
    return new CtlError(EXIT_DATA, `failed to authenticate user "${args[0]}": ${advice}`);
  }
  if (verb === 'delete_queue' && /in use|not empty/i.test(advice)) {
    return new CtlError(EXIT_USAGE, advice);
  }
  if (error instanceof ApiError && error.status === 404 && advice === 'Not Found') {
    const where = options['vhost'] === undefined ? '' : `, or no vhost '${options['vhost']}'`;
    return new ApiError(404, `there is no '${args[0] ?? verb}'${where}`);
  }
  return error;
}

/** Verbs that end with 69 in RabbitMQ's tools where the user, or the vhost, is not there. */
const UNAVAILABLE: Readonly<Record<string, RegExp>> = {
  user: /^(list_user_(topic_)?permissions|clear_password|(set|clear|list)_user_limits)$/,
  vhost:
    /^((set|clear)_(topic_)?permissions|clear_(operator_)?policy|clear_parameter|clear_vhost_limits|purge_queue|delete_queue)$/,
};

/** The error for a user or a vhost that is not there, in RabbitMQ's words and with its code; null: it is none of them. */
function ofMissing(verb: string, missing: Missing | null): CtlError | null {
  if (missing === null) return null;
  const { kind, name } = missing;
  const code = UNAVAILABLE[kind]?.test(verb) === true ? EXIT_UNAVAILABLE : null;
  if (kind === 'user') return new CtlError(code ?? EXIT_NO_USER, `User "${name}" does not exist`);
  if (kind !== 'vhost') return null;
  return new CtlError(code ?? EXIT_DATA, `Virtual host '${name}' does not exist`);
}
