// Owns how settings say which users may log in. Never lets a client in.

import type { Permission } from '../broker/access/grants.ts';

/** The user that a first start makes, and which users may log in only from this machine, at any start. */
export interface AccessSettings {
  /** What a new broker is made with, see broker/first-start.ts; null: no user. */
  readonly user: string | null;
  readonly password: string;
  readonly vhost: string;
  readonly tags?: readonly string[];
  readonly permission?: Permission;
  readonly logCost?: number;
  /** Users that may log in from this machine only. */
  readonly loopbackUsers: readonly string[];
}

/** What the first user may do, unless the settings say less. */
export const EVERYTHING: Permission = { configure: '.*', write: '.*', read: '.*' };
