// The load of the crash test of a cluster with groups: that of the other crash tests, at a rate that four nodes on one machine
// bear, and a backlog, which goes back and forth with the vhost. Data only.
import { BACKLOG, CONSUMERS, PUBLISHERS } from '../topology.mjs';

/** The longest pause of a publisher between two bursts, and how often consumers look around, ms. */
export const PACE = { pauseMs: 400, tickMs: 80 };

const FILLS = { routes: ['backlog'], window: 100, persistent: true, tx: false, pauseMs: 30 };

/** The load, with a backlog of so many messages. */
export function clientsOf(backlog) {
  return {
    publishers: PUBLISHERS.map((clients, i) =>
      i === 0 ? [...clients, { ...FILLS, name: 'p14', most: backlog }] : clients,
    ),
    consumers: CONSUMERS.map((clients, i) => {
      const own = { name: 'c35', queue: BACKLOG, prefetch: 200, requeue: 0, reject: 0, last: true };
      return i === 0 ? [...clients, own] : clients;
    }),
  };
}
