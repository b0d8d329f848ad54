// Owns the directory of a cluster with several groups: the users, their permissions, the vhosts and the parameters of all. The
// group main decides about them, and the others follow. Never knows how a directory comes from one group to another.

import { isObject } from '../../util/json/json.ts';
import type { PermissionSnapshot, TopicPermissionSnapshot } from '../access/access-rows.ts';
import { checkLimits, VHOST_LIMITS } from '../access/limits.ts';
import type { UserSnapshot } from '../access/user.ts';
import type { VhostSnapshot } from '../access/vhost-metadata.ts';
import type { Broker } from '../broker.ts';
import type { GlobalParameter } from '../policy/policy-rows.ts';
import { readPlace } from '../vhost-place.ts';

/** What a vhost is beside what is in it. */
export type ListedVhost = Omit<VhostSnapshot, 'arrived'>;

/** All of it, as it is at one moment. */
export interface Directory {
  readonly users: readonly UserSnapshot[];
  readonly vhosts: readonly ListedVhost[];
  readonly permissions: readonly PermissionSnapshot[];
  readonly topicPermissions: readonly TopicPermissionSnapshot[];
  readonly globalParameters: readonly GlobalParameter[];
}

/** The directory of a broker. */
export function directoryOf(broker: Broker): Directory {
  const { access } = broker;
  return {
    users: access.users(),
    vhosts: [...broker.vhosts.values()].map((vhost) => listed(vhost.snapshot())),
    permissions: access.permissions(),
    topicPermissions: access.topicPermissions(),
    globalParameters: broker.globalParameters.list(),
  };
}

/** A vhost without what each group says of it for itself. */
function listed({ arrived: _, ...vhost }: VhostSnapshot): ListedVhost {
  return vhost;
}

/** Reads a directory that another node has sent. Throws a TypeError or a Refusal where it is none. */
export function readDirectory(value: unknown): Directory {
  if (!isObject(value)) throw new TypeError('it is no directory');
  return {
    users: rowsOf<UserSnapshot>(value['users'], ['name', 'passwordHash', 'hashingAlgorithm']),
    vhosts: rowsOf<ListedVhost>(value['vhosts'], ['name', 'description']).map(readVhost),
    permissions: rowsOf(value['permissions'], ['user', 'vhost', 'configure', 'write', 'read']),
    topicPermissions: rowsOf(value['topicPermissions'], TOPIC_FIELDS),
    globalParameters: rowsOf(value['globalParameters'], ['name']),
  };
}

const TOPIC_FIELDS = ['user', 'vhost', 'exchange', 'write', 'read'];

function readVhost(vhost: ListedVhost): ListedVhost {
  const { place, limits, defaultQueueType: type } = vhost;
  if (type !== null && typeof type !== 'string') throw new TypeError('its queue type is no text');
  return {
    ...vhost,
    tracing: vhost.tracing === true,
    limits: checkLimits(VHOST_LIMITS, limits ?? {}),
    ...(place === undefined ? {} : { place: readPlace(place) }),
  };
}

/** A list of objects that have these texts. */
function rowsOf<T>(value: unknown, texts: readonly string[]): readonly T[] {
  if (!Array.isArray(value)) throw new TypeError('one of its lists is missing');
  for (const row of value) {
    if (!isObject(row)) throw new TypeError('one of its rows is no object');
    for (const name of texts) {
      if (typeof row[name] !== 'string')
        throw new TypeError(`${name} is missing in one of its rows`);
    }
  }
  return value as readonly T[];
}
