// Owns how connections and channels are named: by what the client calls itself, with the addresses below. Never asks
// the broker for any.

import { h, link } from '../dom.js';

/**
 * The ends of a connection, and what its client calls itself.
 * @typedef {{ name: string, user_provided_name?: string }} Peer
 */

/** @param {Peer} peer */
export const titleOf = ({ name, user_provided_name: own }) => own || name;

/**
 * What is shown below a title that is not the name itself.
 * @param {string} title
 * @param {string} name
 */
const below = (title, name) => (title === name ? null : h('div', { class: 'quiet small' }, name));

/**
 * A link to a connection.
 * @param {Peer} peer
 */
export function connectionLink(peer) {
  const title = titleOf(peer);
  return [link(`/connection/${encodeURIComponent(peer.name)}`, title), below(title, peer.name)];
}

/**
 * A link to a channel, by the connection that it is on.
 * @param {string} name
 * @param {number} number
 * @param {Peer} connection
 */
export function channelLink(name, number, connection) {
  const title = `${titleOf(connection)} (${number})`;
  return [link(`/channel/${encodeURIComponent(name)}`, title), below(title, name)];
}
