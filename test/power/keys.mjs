// Which keys messages have in queues and exchanges that look for duplicates, and which message is a duplicate of which: all
// are published on one channel, which acks, too, so that the order is known. Never publishes.
import { FIRST, JOB, LAST, LAST_KEYS, ONCE } from './topology.mjs';

/** So long is a key known that is to be forgotten: less than a run goes on behind the last of them. */
const BRIEF_MS = 200;

/** The exchange and the routing key that lead to a place. */
export const addressOf = (place) => (place === FIRST ? [FIRST, ''] : ['', place]);

/** The keys that are known in each place, as the broker must have it. */
export class KeysInUse {
  /** By place, the number of the message that has each key, the oldest key first. */
  holders = new Map([ONCE, JOB, LAST, FIRST].map((place) => [place, new Map()]));
  made = 0;

  constructor(random) {
    this.random = random;
  }

  /** Notes the key of a message in its fact, and of which one it is a duplicate; returns the headers that say so. */
  choose(fact, number) {
    const holders = this.holders.get(fact.place);
    if (holders === undefined) return {};
    const { random } = this;
    fact.brief = fact.place === ONCE && random.below(6) === 0;
    fact.key = fact.brief ? `brief ${number}` : this.keyFor(fact.place);
    const headers = { 'x-deduplication-header': fact.key };
    if (fact.brief) return { ...headers, 'x-cache-ttl': BRIEF_MS };
    fact.firstOf = holders.get(fact.key) ?? null;
    if (fact.firstOf !== null) return headers;
    holders.set(fact.key, number);
    if (fact.place === LAST && holders.size > LAST_KEYS) {
      const [oldest] = holders.keys();
      holders.delete(oldest);
    }
    return headers;
  }

  /** A message is acked, from now on. */
  acked({ place, key }) {
    if (place === JOB) this.holders.get(place).delete(key);
  }

  /** One of a few, where keys are free again; else a new one, or one of the last ones. */
  keyFor(place) {
    const { random } = this;
    if (place === JOB) return `job ${random.below(12)}`;
    if (place === LAST) return `last ${random.below(2 * LAST_KEYS)}`;
    if (this.made === 0 || random.below(2) === 0) return `key ${++this.made}`;
    const back = random.below(8) === 0 ? 100 : 4;
    return `key ${this.made - random.below(Math.min(this.made, back))}`;
  }
}
