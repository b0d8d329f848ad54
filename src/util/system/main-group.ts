// Owns the name of the group of vhosts that a cluster always has. Never says what a group is.

/** The group that every vhost is in of which nothing is said, and that knows all users and vhosts. */
export const MAIN_GROUP = 'main';
