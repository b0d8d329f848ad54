// Owns making the directory of a broker like another one: what differs is changed, and nothing else. Never decides which
// directory is to be followed.

import { jsonText } from '../../util/json/json-writer.ts';
import type { Broker } from '../broker.ts';
import { type Directory, directoryOf } from './directory.ts';
import { type DirectoryVersion, putVersion } from './version.ts';

/**
 * Makes the directory of a broker like `wanted`, in one turn and one batch, which also notes its version. A vhost that is not
 * there any more is deleted with all that is in it, in steps that go on afterwards; `durable` resolves once what was changed
 * so far is durable. What cannot be had of it is passed over, and told to `failed`.
 */
export function followDirectory(
  broker: Broker,
  wanted: Directory,
  version: DirectoryVersion,
  durable: () => Promise<void>,
  failed: (error: unknown) => void,
): void {
  const { access, core } = broker;
  const has = directoryOf(broker);
  const attempt = (act: () => void): void => {
    const { depth } = core.line;
    try {
      act();
    } catch (error) {
      if (core.line.depth !== depth) throw error;
      failed(error);
    }
  };
  // What is needed by others comes first, and goes last.
  for (const user of differing(has.users, wanted.users, byName)) {
    const { name, tags, limits, passwordHash, hashingAlgorithm } = user;
    const given = { name, tags, limits: { ...limits } };
    attempt(() => access.putUserWithHash(given, passwordHash, hashingAlgorithm));
  }
  for (const { name, ...metadata } of differing(has.vhosts, wanted.vhosts, byName)) {
    attempt(() => broker.putVhost(name, { place: undefined, ...metadata }));
  }
  for (const each of differing(has.permissions, wanted.permissions, ofUser)) {
    attempt(() => access.setPermission(each));
  }
  for (const each of differing(has.topicPermissions, wanted.topicPermissions, ofExchange)) {
    attempt(() => access.setTopicPermission(each));
  }
  for (const each of differing(has.globalParameters, wanted.globalParameters, byName)) {
    attempt(() => broker.globalParameters.set(each));
  }
  for (const { user, vhost, exchange } of gone(
    has.topicPermissions,
    wanted.topicPermissions,
    ofExchange,
  )) {
    attempt(() => access.clearTopicPermission(user, vhost, exchange));
  }
  for (const { user, vhost } of gone(has.permissions, wanted.permissions, ofUser)) {
    attempt(() => access.clearPermission(user, vhost));
  }
  for (const { name } of gone(has.globalParameters, wanted.globalParameters, byName)) {
    attempt(() => broker.globalParameters.clear(name));
  }
  for (const { name } of gone(has.users, wanted.users, byName)) {
    attempt(() => access.deleteUser(name));
  }
  for (const { name } of gone(has.vhosts, wanted.vhosts, byName)) {
    attempt(() => {
      broker.vhostDeletions.inSteps(name, durable).catch(failed);
    });
  }
  core.line.change(() => {
    putVersion(core.store, version);
    core.definitionChanged();
  });
}

const byName = ({ name }: { readonly name: string }): string => name;
const ofUser = (each: { readonly user: string; readonly vhost: string }): string =>
  jsonText([each.user, each.vhost]);
const ofExchange = (each: {
  readonly user: string;
  readonly vhost: string;
  readonly exchange: string;
}): string => jsonText([each.user, each.vhost, each.exchange]);

/** Those of `wanted` that are not among `has` as they are. */
function differing<T>(has: readonly T[], wanted: readonly T[], keyOf: (each: T) => string): T[] {
  const texts = new Map(has.map((each) => [keyOf(each), textOf(each)]));
  return wanted.filter((each) => texts.get(keyOf(each)) !== textOf(each));
}

/** Those of `has` that `wanted` has not at all. */
function gone<T>(has: readonly T[], wanted: readonly T[], keyOf: (each: T) => string): T[] {
  const keys = new Set(wanted.map(keyOf));
  return has.filter((each) => !keys.has(keyOf(each)));
}

/** The same text for the same values, in whatever order they stand. */
function textOf(each: unknown): string {
  const fields = Object.entries(each as object).filter(([, value]) => value !== undefined);
  return jsonText(fields.sort(([a], [b]) => (a < b ? -1 : 1)));
}
