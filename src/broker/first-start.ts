// Owns what a broker is made with that finds nothing in its store. Never applies it: broker.ts does.

import type { Permission } from './access/grants.ts';

/** What a new broker is made with. */
export interface FirstStart {
  readonly vhost: string;
  readonly user: FirstUser | null;
}

/** The first user. It may do anything where its permission says so. */
export interface FirstUser {
  readonly name: string;
  readonly password: string;
  readonly tags: readonly string[];
  readonly permission: Permission;
  /** How dear its password is to hash; see access/password.ts. */
  readonly logCost?: number;
}
