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
    const highest = new Map();
    for (const each of [...this.opened].sort((a, b) => a.t - b.t)) {
      const { group, epoch, port, t } = each;
      const stale = epoch < (highest.get(group) ?? 0);
      highest.set(group, Math.max(epoch, highest.get(group) ?? 0));
      let n = all.findLastIndex((one) => one.group === group && one.epoch === epoch);
      const goesOn =
        n >= 0 && n === all.length - 1 && !this.flips.some((f) => wasElsewhere(all[n], f, t));
      if (!goesOn && !(stale && n >= 0)) n = all.push({ ...each, last: t }) - 1;
      all[n].last = t;
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

/** Whether the vhost was elsewhere between the last connection of a tenure and this time. */
function wasElsewhere({ group, last }, flip, t) {
  return flip.group !== group && flip.t > last && flip.t <= t;
}
