// The load of the crash test of a cluster: that of the other crash tests, at a rate that three nodes on one machine bear, and
// bodies of megabytes, whose batches are replicated in parts. Data only.
import { CONSUMERS, LARGE, PUBLISHERS } from '../topology.mjs';

/** The longest pause of a publisher between two bursts, and how often consumers look around, ms. */
export const PACE = { pauseMs: 150, tickMs: 60 };

const LARGE_PUBLISHER = {
  name: 'big1',
  routes: ['large'],
  window: 2,
  persistent: true,
  tx: false,
  pauseMs: 1500,
};

export const CLIENTS = {
  publishers: PUBLISHERS.map((clients, i) => (i === 0 ? [...clients, LARGE_PUBLISHER] : clients)),
  consumers: CONSUMERS.map((clients, i) => {
    const own = { name: 'c34', queue: LARGE, prefetch: 10, requeue: 0.1, reject: 0 };
    return i === 0 ? [...clients, own] : clients;
  }),
};
