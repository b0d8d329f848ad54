// Spoils a history in what was read of a stream: as a whole, and by the group. Never judges.
import {
  blank,
  confirmedIds,
  deliveriesOf,
  entriesOf,
  find,
  idOf,
  passedBehind,
  settleOf,
} from './places.mjs';

/** @type {import('../mutants.d.mts').Mutant[]} */
export const STREAM_MUTANTS = [
  { name: 'a stream lacks a confirmed message', rule: 'I20', spoil: loseFromStream },
  { name: 'a message is in a stream twice', rule: 'I20', spoil: doubleInStream },
  { name: 'an offset of a stream is left out', rule: 'I20', spoil: leaveOut },
  { name: 'two messages of a stream change places', rule: 'I20', spoil: swapInStream },
  { name: 'an offset of a stream names another message', rule: 'I21', spoil: changeOffset },
  { name: 'what was read of a stream is gone', rule: 'I21', spoil: cutTail },
  { name: 'a stream lets go of too much', rule: 'I20', spoil: cutHead },
  { name: 'a message nobody published is in a stream', rule: 'I2', spoil: inventInStream },
  { name: 'a changed body in a stream', rule: 'I3', spoil: corruptInStream },
  { name: 'an unconfirmed fan-out is in a stream alone', rule: 'I7', spoil: halveToStream },
  { name: 'a group goes on ahead of its acks', rule: 'I22', spoil: goAhead },
  { name: 'a group goes on behind acks on the disk', rule: 'I22', spoil: goBack },
  { name: 'a group goes on behind one whose acks are on the disk', rule: 'I22', spoil: goFarBack },
  { name: 'a group passes a message by', rule: 'I22', spoil: passBy },
  { name: 'a group gets two messages out of order', rule: 'I22', spoil: swapForGroup },
];

/** More than a batch lets go of. */
const FAR = 1_000;

/** The last reading that had messages, when nothing came any more; null: there is none. */
function lastReading(history) {
  const readings = [...entriesOf(history, 'reading')].filter(({ entry }) => entry.messages.length);
  return readings.at(-1) ?? null;
}

/** Puts other messages in place of those of one reading. */
function reread({ journal, at, entry }, messages) {
  journal[at] = { ...entry, messages };
  return true;
}

/** Changes what was seen everywhere: `see` returns the offset and the id in place of these, or null. */
function seeOthers(history, see) {
  for (const place of entriesOf(history, 'reading')) {
    const messages = place.entry.messages.map(([offset, id]) => see(offset, id));
    reread(
      place,
      messages.filter((each) => each !== null),
    );
  }
  for (const place of entriesOf(history, 'read')) {
    const seen = see(place.entry.offset, idOf(place.entry));
    if (seen === null) {
      blank([place]);
      continue;
    }
    const [offset, id] = seen;
    const [pub, seq] = id.split('/');
    place.journal[place.at] = { ...place.entry, offset, pub, seq: Number(seq) };
  }
  return true;
}

/** Those behind it move up, so that no gap tells. */
function loseFromStream(history) {
  const reading = lastReading(history);
  const confirmed = confirmedIds(history);
  const lost = reading?.entry.messages.slice(1, -1).find(([, id]) => confirmed.has(id));
  if (lost === undefined) return false;
  return seeOthers(history, (offset, id) => {
    if (id === lost[1]) return null;
    return [offset > lost[0] ? offset - 1 : offset, id];
  });
}

function doubleInStream(history) {
  const reading = lastReading(history);
  if (reading === null) return false;
  const { messages } = reading.entry;
  const [offset, id] = messages.at(-1);
  return reread(reading, [...messages, [offset + 1, id]]);
}

function leaveOut(history) {
  const reading = lastReading(history);
  if (reading === null || reading.entry.messages.length < 3) return false;
  return reread(reading, reading.entry.messages.toSpliced(1, 1));
}

function swapInStream(history) {
  const messages = lastReading(history)?.entry.messages ?? [];
  const pubOf = (id) => id.slice(0, id.indexOf('/'));
  for (const [, id] of messages) {
    const next = messages.findLast((each) => pubOf(each[1]) === pubOf(id))[1];
    if (next === id) continue;
    return seeOthers(history, (offset, other) => {
      return [offset, other === id ? next : other === next ? id : other];
    });
  }
  return false;
}

function changeOffset(history) {
  const reading = lastReading(history);
  if (reading === null || reading.entry.messages.length < 2) return false;
  const { messages } = reading.entry;
  const [[one, a], [two, b]] = messages.slice(-2);
  return reread(reading, [...messages.slice(0, -2), [one, b], [two, a]]);
}

function cutTail(history) {
  const reading = lastReading(history);
  return reading !== null && reread(reading, reading.entry.messages.slice(0, -1));
}

function cutHead(history) {
  const reading = lastReading(history);
  if (reading === null) return false;
  const { messages, queue } = reading.entry;
  const left = history.queues[queue].keeps - 1;
  return reread(reading, messages.slice(messages.length > left ? -left : 1));
}

function inventInStream(history) {
  const reading = lastReading(history);
  if (reading === null) return false;
  const { messages } = reading.entry;
  const [offset, id] = messages.at(-1);
  const pub = id.slice(0, id.indexOf('/'));
  return reread(reading, [...messages, [offset + 1, `${pub}/999999999`]]);
}

function corruptInStream(history) {
  const reading = lastReading(history);
  if (reading === null) return false;
  reading.journal[reading.at] = { ...reading.entry, faults: ['the body is not that of this id'] };
  return true;
}

/** The stream has it, the queue has not, and it was never confirmed. */
function halveToStream(history) {
  const seen = new Set(lastReading(history)?.entry.messages.map(([, id]) => id));
  const deliveries = deliveriesOf(history);
  const published = find(history, 'pub', (entry) => {
    return seen.has(idOf(entry)) && deliveries.has(`${idOf(entry)} ${entry.to[0]}`);
  });
  if (published === null) return false;
  const { entry } = published;
  for (const place of entriesOf(history, 'conf')) {
    if (place.entry.conn === entry.conn) blank([place]);
  }
  blank(deliveries.get(`${idOf(entry)} ${entry.to[0]}`));
  return true;
}

/** What each connection of the group was given, oldest first. */
function runsOf(history) {
  const runs = new Map();
  for (const place of entriesOf(history, 'read')) {
    const { conn } = place.entry;
    if (!runs.has(conn)) runs.set(conn, []);
    runs.get(conn).push(place);
  }
  return [...runs.values()].sort(([a], [b]) => a.entry.t - b.entry.t);
}

/** Whether retention cannot have been there by the time of the next broker. */
function isKept(history, { entry: { offset, t } }) {
  const nextSpawn = history.spawns.find((spawn) => spawn > t);
  const next = find(history, 'reading', (reading) => reading.t > nextSpawn);
  return next === null || (next.entry.messages[0]?.[0] ?? 0) + FAR < offset;
}

/** What the run before had acked is not acked any more. */
function goAhead(history) {
  const runs = runsOf(history);
  for (const [i, [first]] of runs.entries()) {
    const before = runs[i - 1];
    if (before === undefined || before[0].entry.offset >= first.entry.offset) continue;
    if (!isKept(history, first)) continue;
    const { conn } = before[0].entry;
    blank([...entriesOf(history, 'settle')].filter(({ entry }) => entry.conn === conn));
    return true;
  }
  return false;
}

/** Whether a delivery is settled, and a barrier behind that has passed before another came. */
function isPassed(place, { entry: { t } }) {
  const settle = settleOf(place);
  if (settle === null) return false;
  const passed = passedBehind(place.journal, settle.settledAt);
  return passed !== undefined && passed.t < t;
}

/** A run begins with one that was acked before. */
function goBack(history) {
  const runs = runsOf(history);
  for (const [i, [first]] of runs.entries()) {
    const last = runs[i - 1]?.find(({ entry }) => entry.offset === first.entry.offset - 1);
    if (last === undefined || !isPassed(last, first)) continue;
    repeat([last], first);
    return true;
  }
  return false;
}

/** A run begins with what was given out before the run before, the first of which is acked for good. */
function goFarBack(history) {
  const runs = runsOf(history);
  for (const [i, [first]] of runs.entries()) {
    const [before = [], between = []] = [runs[i - 2], runs[i - 1]];
    const last = before.at(-1);
    if (last === undefined || between[0].entry.offset !== last.entry.offset + 1) continue;
    if (first.entry.offset <= last.entry.offset || !isPassed(between[0], first)) continue;
    const known = between.filter(({ entry }) => entry.offset < first.entry.offset);
    repeat([last, ...known], first);
    return true;
  }
  return false;
}

/** Gives these out once more, right before another, and by its connection. */
function repeat(places, { journal, at, entry: { conn, t } }) {
  const again = places.map(({ entry }, i) => ({ ...entry, conn, t, tag: 1_000_000_000 + i }));
  journal.splice(at, 0, ...again);
}

function passBy(history) {
  const run = runsOf(history).findLast(({ length }) => length > 2);
  const place = run?.slice(1, -1).findLast((each) => isKept(history, each));
  if (place === undefined) return false;
  blank([place]);
  return true;
}

function swapForGroup(history) {
  const run = runsOf(history).find(({ length }) => length > 1);
  if (run === undefined) return false;
  const [one, two] = run;
  const [{ offset, pub, seq }, other] = [one.entry, two.entry];
  one.journal[one.at] = { ...one.entry, offset: other.offset, pub: other.pub, seq: other.seq };
  two.journal[two.at] = { ...other, offset, pub, seq };
  return true;
}
