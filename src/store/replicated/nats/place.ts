// Owns where a log lies on NATS, and what its parts are called there. Never connects.

import { StoreError } from '../../errors.ts';

/** A log on NATS, as it is configured. */
export interface NatsPlace {
  /** `host:port` or `nats://host:port` of the servers, the nearest first. */
  readonly servers: readonly string[];
  /** What logs in there: one of these, or none. */
  readonly login: NatsLogin;
  /** Files of certificates, PEM, each or null; null: no TLS but where a server demands it. */
  readonly tls: NatsTls | null;
  /** Names of the cluster and of its group of vhosts: letters, digits and hyphens. */
  readonly cluster: string;
  readonly group: string;
  /** The group whose log says what secret all groups of the cluster share. */
  readonly secretOf: string;
  /** What the connection is called in the servers' lists. */
  readonly node: string;
  /** How many servers keep each record. */
  readonly replicas: number;
  /** What the log may take on each of them, bytes. */
  readonly logBytesMax: number;
  /** `host:port` of the servers' monitoring, which says whether they sync; may be empty. */
  readonly monitor: readonly string[];
  /** Whether a server that does not sync is refused. */
  readonly requireSync: boolean;
}

/** A file of credentials, a user with a password, a token: each null where it is another one. */
export interface NatsLogin {
  readonly credentials: string | null;
  readonly user: string | null;
  readonly password: string | null;
  readonly token: string | null;
}

export const NO_LOGIN: NatsLogin = { credentials: null, user: null, password: null, token: null };

export interface NatsTls {
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
}

/** What the parts of a log are called. A stream has one subject, which is called as it is. */
export interface NatsNames {
  readonly log: string;
  readonly lease: string;
  /** What nodes of the group tell one another, and no stream keeps: a part comes behind it, after a dot. */
  readonly told: string;
  /** The same of nodes of all groups. */
  readonly toldAll: string;
}

/** The last `_` of a stream's name ends that of the cluster, so that a group has none. */
const CLUSTER = /^[A-Za-z0-9_-]{1,64}$/;
const GROUP = /^[A-Za-z0-9-]{1,64}$/;

/** The names of a place. Throws a StoreError. */
export function namesOf({ cluster, group }: Pick<NatsPlace, 'cluster' | 'group'>): NatsNames {
  for (const [what, name, pattern] of [
    ['cluster', cluster, CLUSTER],
    ['group', group, GROUP],
  ] as const) {
    if (!pattern.test(name)) {
      const way = 'use up to 64 letters, digits and hyphens';
      throw new StoreError(`the name of the ${what}, '${name}', cannot be part of a stream's`, way);
    }
  }
  const suffix = `${cluster}_${group}`;
  const log = `LV_${suffix}`;
  return { log, lease: `LVL_${suffix}`, told: `LVT_${suffix}`, toldAll: `LVC_${cluster}` };
}
