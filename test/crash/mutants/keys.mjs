// Spoils a history in what is promised of messages with a group or with a key by which duplicates are told. Never judges.
import { blank, confirmedIds, deliveriesOf, entriesOf, find, idOf, redeliver } from './places.mjs';

/** @type {import('../mutants.d.mts').Mutant[]} */
export const KEY_MUTANTS = [
  { name: 'two of a group are out at a time', rule: 'I18', spoil: hurryGroup },
  { name: 'one of a group overtakes one that was put back', rule: 'I18', spoil: overtake },
  { name: 'two of a group change places', rule: 'I6', spoil: swapInGroup },
  { name: 'a duplicate is delivered, too', rule: 'I19', spoil: deliverDuplicate },
  { name: 'a key is known, and its message is gone', rule: 'I19', spoil: loseOnce },
  { name: 'what an exchange lets pass is in one queue', rule: 'I19', spoil: halveFirst },
  { name: 'two with a key are there at a time', rule: 'I19', spoil: takeBoth },
  { name: 'a key is known, and its message is done', rule: 'I19', spoil: refuseFreed },
];

function deliverDuplicate(history) {
  const confirmed = confirmedIds(history);
  const first = new Map();
  for (const { entry } of entriesOf(history, 'pub')) {
    if (!entry.to.includes('crash.once') || !confirmed.has(idOf(entry))) continue;
    const before = first.get(entry.once);
    first.set(entry.once, before ?? entry);
    const place = before && find(history, 'dlv', (each) => idOf(each) === idOf(before));
    if (!place) continue;
    return redeliver(history, place, { seq: entry.seq, redelivered: false });
  }
  return false;
}

function loseOnce(history) {
  return loseFrom(history, 'crash.once');
}

function halveFirst(history) {
  return loseFrom(history, 'crash.first.2');
}

/** Where another one with the key was delivered too, since a kill took that away, it may be the one that was acked. */
function loseFrom(history, queue) {
  const confirmed = confirmedIds(history);
  const delivered = deliveriesOf(history);
  const taken = new Map();
  for (const { entry } of entriesOf(history, 'pub')) {
    const places = delivered.get(`${idOf(entry)} ${queue}`);
    if (places !== undefined) taken.set(entry.once, [...(taken.get(entry.once) ?? []), places]);
  }
  const alone = [...taken.values()].find(
    ([[{ entry }], ...others]) => others.length === 0 && confirmed.has(idOf(entry)),
  );
  if (alone === undefined) return false;
  blank(alone[0]);
  return true;
}

/** A duplicate comes while the first one is out for long. */
function takeBoth(history) {
  const ends = endsOf(history, 'crash.job');
  const pubs = [...entriesOf(history, 'pub')].map(({ entry }) => entry);
  const jobs = pubs.filter(({ to }) => to.includes('crash.job'));
  for (const place of entriesOf(history, 'dlv')) {
    const { conn, tag, queue, t } = place.entry;
    if (queue !== 'crash.job' || !((ends.get(`${conn} ${tag}`)?.settledAt ?? 0) > t + 6_000))
      continue;
    const first = jobs.find((pub) => idOf(pub) === idOf(place.entry));
    const other = jobs.find(({ once, seq }) => once === first?.once && seq > first.seq);
    if (other === undefined) continue;
    const copy = { ...place.entry, t: t + 1, tag: 1_000_000_000, seq: other.seq };
    place.journal.push({ ...copy, redelivered: false });
    return true;
  }
  return false;
}

/** One is dropped though all before it with its key are done, which is on the disk. */
function refuseFreed(history) {
  const ends = endsOf(history, 'crash.job');
  const confirmed = confirmedIds(history);
  const lines = [...deliveriesOf(history).values()].filter(
    ([{ entry }]) => entry.queue === 'crash.job',
  );
  const byId = new Map(lines.map((places) => [idOf(places[0].entry), places]));
  const before = new Map();
  for (const { entry } of entriesOf(history, 'pub')) {
    if (!entry.to.includes('crash.job')) continue;
    const places = byId.get(idOf(entry));
    const earlier = before.get(entry.once) ?? [];
    const isOver = ({ entry: { conn, tag } }) => ends.get(`${conn} ${tag}`)?.coveredAt < entry.t;
    if (places !== undefined && confirmed.has(idOf(entry)) && earlier.length > 0) {
      if (earlier.flat().every(isOver)) {
        blank(places);
        return true;
      }
    }
    if (places !== undefined) before.set(entry.once, [...earlier, places]);
  }
  return false;
}

/** When each delivery of a queue was settled, and when that was surely on the disk, by connection and tag. */
function endsOf(history, queue) {
  const ends = new Map();
  const byConn = new Map();
  for (const { entry, journal } of entriesOf(history, 'dlv')) {
    if (entry.queue === queue) byConn.set(entry.conn, journal);
  }
  for (const [name, journal] of byConn) {
    const entries = journal.filter(({ conn }) => conn === name);
    let out = [];
    for (const [at, { e, tag, multiple, t }] of entries.entries()) {
      if (e === 'dlv') out.push(tag);
      if (e !== 'settle') continue;
      const isSettled = (each) => (multiple ? each <= tag : each === tag);
      const barrier = entries.find((each, i) => i > at && each.e === 'barrier');
      const passed = entries.find((each) => each.e === 'passed' && each.n === barrier?.n);
      for (const each of out.filter(isSettled)) {
        ends.set(`${name} ${each}`, { settledAt: t, coveredAt: passed?.t });
      }
      out = out.filter((each) => !isSettled(each));
    }
  }
  return ends;
}

/** Deliveries of each group of a publisher, in order of time. */
function groupsOf(history) {
  const { groups } = history.queues['crash.grouped'];
  const lines = new Map();
  for (const place of entriesOf(history, 'dlv')) {
    const { queue, pub, seq } = place.entry;
    if (queue !== 'crash.grouped') continue;
    const line = `${pub} ${seq % groups}`;
    lines.set(line, [...(lines.get(line) ?? []), place]);
  }
  for (const line of lines.values()) line.sort((a, b) => a.entry.t - b.entry.t);
  return lines.values();
}

/** The next of a group comes at once, while the one before it is out for long. */
function hurryGroup(history) {
  const ends = endsOf(history, 'crash.grouped');
  for (const line of groupsOf(history)) {
    for (const [i, { entry, journal, at }] of line.entries()) {
      const before = line[i - 1]?.entry;
      if (before === undefined || history.spawns.some((t) => t > before.t && t <= entry.t))
        continue;
      const endedAt = ends.get(`${before.conn} ${before.tag}`)?.settledAt ?? 0;
      if (endedAt < before.t + 6_000) continue;
      journal[at] = { ...entry, t: before.t + 1 };
      return true;
    }
  }
  return false;
}

/** What was put back comes after the next one of its group. */
function overtake(history) {
  for (const line of groupsOf(history)) {
    for (const [i, { entry, journal, at }] of line.entries()) {
      const [before, after] = [line[i - 1]?.entry, line[i + 1]?.entry];
      if (before?.seq !== entry.seq || after === undefined || after.seq === entry.seq) continue;
      if (history.spawns.some((t) => t > before.t && t <= after.t)) continue;
      journal[at] = { ...entry, pub: after.pub, seq: after.seq };
      return true;
    }
  }
  return false;
}

function swapInGroup(history) {
  for (const line of groupsOf(history)) {
    for (const [i, { entry, journal, at }] of line.entries()) {
      const before = line[i - 1];
      const isNew = line.slice(0, i).every((each) => each.entry.seq !== entry.seq);
      const first = line.slice(0, i - 1).every((each) => each.entry.seq !== before?.entry.seq);
      if (before === undefined || !isNew || !first) continue;
      const { pub, seq } = entry;
      journal[at] = { ...entry, pub: before.entry.pub, seq: before.entry.seq };
      before.journal[before.at] = { ...before.entry, pub, seq };
      return true;
    }
  }
  return false;
}
