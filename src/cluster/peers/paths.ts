// Owns what peers ask each other for, by name. Never asks.

export const STATUS_PATH = '/status';
export const SNAPSHOT_PATH = '/snapshot';

/** What leaders of the groups of a cluster ask each other for, with parameters; each is answered by a text. */
export const CALLS = ['/directory', '/departure', '/arrived'] as const;
export type Call = (typeof CALLS)[number];

/** The protocols that a connection may be handed over to; the last one for the operator of the node that does. */
export const UPGRADES = ['amqp', 'http', 'http-local'] as const;
export type Upgrade = (typeof UPGRADES)[number];

/** Request header: the name of the node that asks. */
export const NODE_HEADER = 'leveret-node';
/** Response header: the facts of the snapshot in the body, see snapshot-facts.ts. */
export const SNAPSHOT_HEADER = 'leveret-snapshot';
