// What entries of journals have in common, as the judge of the crash test reads them. Never judges.

/** Which broker process was there at a time: 0 for the first. */
export function spawnAt(spawns, t) {
  let low = 0;
  let high = spawns.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spawns[middle] <= t) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Under which broker process, or in which term of a cluster's leader, an entry was noted. */
export function spawnOf({ spawns }, { spawn, t }) {
  return spawn ?? spawnAt(spawns, t);
}

/** The id of a message, of what was noted of it. */
export const idOf = (entry) => `${entry.pub}/${entry.seq}`;

/** Removes one tag, or with `multiple` every tag up to it, and hands out what stood there. */
export function take(byTag, tag, multiple) {
  const taken = [];
  for (const [key, value] of byTag) {
    if (multiple ? key <= tag : key === tag) {
      byTag.delete(key);
      taken.push(value);
    } else if (key > tag) break;
  }
  return taken;
}
