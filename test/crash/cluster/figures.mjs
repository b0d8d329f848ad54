// How long clients waited for a confirm around each fault. Never judges.

/**
 * The longest time without a confirm in each window, ms; with a later term from the fault to the first confirm in it.
 * @param {readonly { name: string, from: number, to: number, epoch: number }[]} windows `epoch`: before the fault
 * @param {readonly { t: number, epoch: number }[]} confirms
 */
export function waitsOf(windows, confirms) {
  const sorted = [...confirms].sort((a, b) => a.t - b.t);
  return windows.map(({ name, from, to, epoch }) => {
    const next = sorted.find((confirm) => confirm.t > from && confirm.epoch > epoch);
    if (next !== undefined && next.t <= to) return { name, ms: (next.t - from) / 1000 };
    let [longest, before] = [0, from];
    for (const { t } of sorted) {
      if (t < from) continue;
      longest = Math.max(longest, Math.min(t, to) - before);
      before = t;
      if (t > to) break;
    }
    return { name, ms: longest / 1000 };
  });
}

/** Rows for the table of counts: shortest, median and longest of each kind. */
export function figuresOf(waits) {
  const kinds = new Map();
  for (const { name, ms } of waits) kinds.set(name, [...(kinds.get(name) ?? []), ms]);
  const rows = {};
  for (const [name, all] of kinds) {
    const sorted = all.sort((a, b) => a - b).map((ms) => Math.round(ms));
    const text = `${sorted[0]} / ${sorted[sorted.length >> 1]} / ${sorted.at(-1)}`;
    rows[`${name}, ms`] = `${sorted.length} times: ${text}`;
  }
  return rows;
}
