// Owns which group of vhosts a cluster always has, and what it means to be in none. Never says what a group is.

/** The group that every vhost is in of which nothing is said, and that knows all users and vhosts. */
export const MAIN_GROUP = 'main';

/** What a broker is in that is in no cluster: all vhosts are its own, wherever they were before. */
export const NO_GROUP = '';

/** Whether a broker of that group decides about users and vhosts, rather than follow another one. */
export function decides(group: string): boolean {
  return group === MAIN_GROUP || group === NO_GROUP;
}
