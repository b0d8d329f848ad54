// Knows which broker a connection was served by. A node hands connections on, so it is the broker that tells: its line in the
// log names the client's port. A broker that has the vhost for a time is what a process is in the other crash tests: a tenure.
// Never judges.

/** A line of the log is written, and the client notes that it is connected, within this time. */
const APART_US = 3_000_000;

/** @typedef {{ group: string, epoch: number, node: string, port: number, t: number }} Opened */

export class Tenures {
  /** @type {Opened[]} connections to the vhost, as brokers told of them. */
  opened = [];
  /** When it was first known that the vhost is in another group, which may be after clients came there. */
  flips = [];
  /** @type {{ group: string, epoch: number, node: string, t: number, last: number }[] | null} */
  found = null;
  ofPort = new Map();

  /** A broker has told of a connection. */
  told(/** @type {Opened} */ opened) {
    this.opened.push(opened);
    this.found = null;
  }

  /** It is known to be in that group. */
  flipped(group, t) {
    this.flips.push({ group, t });
    this.found = null;
  }

  /** All so far, in their order. */
  get all() {
    this.found ??= this.lookAll();
    return this.found;
  }

  lookAll() {
    this.ofPort.clear();
    const all = [];
    for (const { order, ...each } of inOrder(this.opened)) {
      const { group, epoch, port, t } = each;
      const last = all.at(-1);
      const goesOn = last?.group === group && last.epoch === epoch;
      if (!goesOn || this.flips.some((flip) => wasElsewhere(last, flip, order))) all.push(each);
      const n = all.length - 1;
      all[n].last = order;
      this.ofPort.set(port, [...(this.ofPort.get(port) ?? []), { t, n }]);
    }
    return all;
  }

  /** The number of the one that a client's connection was served in, which it noted at `at`. */
  of(port, at) {
    const { length } = this.all;
    const near =
      length === 0
        ? []
        : (this.ofPort.get(port) ?? []).filter(({ t }) => Math.abs(t - at) < APART_US);
    near.sort((a, b) => Math.abs(a.t - at) - Math.abs(b.t - at));
    if (near.length > 0) return near[0].n;
    return this.at(at);
  }

  /** The number of the one at a time. */
  at(t) {
    return Math.max(
      0,
      this.all.findLastIndex((each) => each.t <= t),
    );
  }

  /** The number of the one in which a node led a group then; -1: the vhost was not there. */
  in(group, epoch, t) {
    return this.all.findLastIndex((each) => {
      return each.group === group && each.epoch === epoch && each.t <= t;
    });
  }
}

/**
 * By time, but for what a node has opened that did not know yet that another leads its group: that comes before all that the
 * next one has opened.
 */
function inOrder(opened) {
  const begins = new Map();
  for (const { group, epoch, t } of opened) {
    const of = begins.get(group) ?? new Map();
    begins.set(group, of.set(epoch, Math.min(t, of.get(epoch) ?? t)));
  }
  const orderOf = ({ group, epoch, t }) => {
    const later = [...begins.get(group)].filter(([other]) => other > epoch);
    return Math.min(t, ...later.map(([, begin]) => begin - 1));
  };
  const all = opened.map((each) => ({ ...each, order: orderOf(each) }));
  return all.sort((a, b) => a.order - b.order);
}

/** Whether the vhost was elsewhere between the last connection of a tenure and this time. */
function wasElsewhere({ group, last }, flip, t) {
  return flip.group !== group && flip.t > last && flip.t <= t;
}
