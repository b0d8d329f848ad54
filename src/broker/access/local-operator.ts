// Owns what the operator on the broker's own machine is to the broker: no user that is stored, with all rights in every
// vhost. Never decides who that is: the control socket does.

import { Grants } from './grants.ts';
import { User } from './user.ts';

/** Every name, with line feeds in it too. */
const ALL = '(?s).*';

/** All rights in one vhost, under a name that no row has. */
export function operatorGrants(name: string, vhost: string): Grants {
  const tags = ['administrator'];
  const user = new User({ name, passwordHash: '', hashingAlgorithm: '', tags, limits: {} });
  const grants = new Grants(user, vhost);
  grants.setPermission({ configure: ALL, write: ALL, read: ALL });
  return grants;
}
