// Spoils a history in what is promised of each message, and of what was declared. Never judges.
import {
  blank,
  confirmedIds,
  deliveriesOf,
  entriesOf,
  find,
  idOf,
  movedForGood,
  passedBehind,
  redeliver,
  settleOf,
  staysIn,
} from './places.mjs';

/** @type {import('../mutants.d.mts').Mutant[]} */
export const MESSAGE_MUTANTS = [
  { name: 'a confirmed message is never delivered', rule: 'I1', spoil: loseConfirmed },
  { name: 'a requeued message is gone', rule: 'I1', spoil: loseRequeued },
  { name: 'a message nobody published', rule: 'I2', spoil: invent },
  { name: 'a message from a queue it was not sent to', rule: 'I2', spoil: misroute },
  { name: 'a changed body', rule: 'I3', spoil: corrupt },
  { name: 'an acked message behind a barrier comes back', rule: 'I4', spoil: resurrect },
  { name: 'a second delivery without the flag', rule: 'I5', spoil: repeatUnflagged },
  { name: 'two messages change places', rule: 'I6', spoil: swapOrder },
  { name: 'an unconfirmed fan-out survives in part', rule: 'I7', spoil: halveFanout },
  { name: 'half of a transaction', rule: 'I7', spoil: halveTransaction },
  { name: 'what was seen after the commit is in one queue alone', rule: 'I23', spoil: halveSeen },
  { name: 'a rejected message is in both queues', rule: 'I7', spoil: doubleMove },
  { name: 'a rejected message is in neither queue', rule: 'I7', spoil: loseMove },
  { name: 'a publish is confirmed twice', rule: 'I9', spoil: confirmTwice },
  { name: 'a publish is confirmed before it was sent', rule: 'I9', spoil: confirmEarly },
  { name: 'a return never comes', rule: 'I9', spoil: loseReturn },
  { name: 'a declared queue is gone', rule: 'I10', spoil: loseQueue },
  { name: 'a policy is gone', rule: 'I10', spoil: losePolicy },
  { name: 'a transient message survives a restart', rule: 'I12', spoil: keepTransient },
];

function loseConfirmed(history) {
  const confirmed = confirmedIds(history);
  const published = find(
    history,
    'pub',
    (entry) => entry.persistent && staysIn(history, entry.to[0]) && confirmed.has(idOf(entry)),
  );
  if (published === null) return false;
  blank(deliveriesOf(history).get(`${idOf(published.entry)} ${published.entry.to[0]}`));
  return true;
}

function loseRequeued(history) {
  const confirmed = confirmedIds(history);
  const requeued = new Set();
  for (const { entry } of entriesOf(history, 'settle')) {
    if (entry.how === 'requeue' && !entry.multiple) requeued.add(`${entry.conn} ${entry.tag}`);
  }
  for (const places of deliveriesOf(history).values()) {
    const [{ entry }] = places;
    if (places.length < 2 || !requeued.has(`${entry.conn} ${entry.tag}`)) continue;
    if (!confirmed.has(idOf(entry)) || entry.queue === 'crash.transient') continue;
    if (!staysIn(history, entry.queue)) continue;
    blank(places.slice(1));
    return true;
  }
  return false;
}

function invent(history) {
  const place = find(history, 'dlv', () => true);
  if (place === null) return false;
  redeliver(history, place, { seq: 999_999_999, redelivered: false });
  return true;
}

function misroute(history) {
  const place = find(history, 'dlv', ({ queue }) => queue === 'crash.fan.1');
  if (place === null) return false;
  redeliver(history, place, { queue: 'crash.work', redelivered: false });
  return true;
}

function corrupt(history) {
  const place = find(history, 'dlv', () => true);
  if (place === null) return false;
  place.journal[place.at] = { ...place.entry, fault: 'the body does not match its CRC' };
  return true;
}

function resurrect(history) {
  for (const place of entriesOf(history, 'dlv')) {
    if (place.entry.queue !== 'crash.fan.1') continue;
    const settle = settleOf(place);
    if (settle?.how !== 'ack') continue;
    if (passedBehind(place.journal, settle.settledAt) === undefined) continue;
    redeliver(history, place, {});
    return true;
  }
  return false;
}

function repeatUnflagged(history) {
  const place = find(history, 'dlv', () => true);
  if (place === null) return false;
  redeliver(history, place, { redelivered: false });
  return true;
}

function swapOrder(history) {
  const first = find(history, 'dlv', ({ queue }) => queue === 'crash.fan.1');
  if (first === null) return false;
  const { pub, seq } = first.entry;
  const second = find(
    history,
    'dlv',
    (entry) => entry.queue === 'crash.fan.1' && entry.pub === pub && entry.seq > seq,
  );
  if (second === null) return false;
  first.journal[first.at] = { ...first.entry, seq: second.entry.seq };
  second.journal[second.at] = { ...second.entry, seq };
  return true;
}

/** A message published before a kill and delivered after it, its confirm taken away. */
function halveSurvivor(history, accept, drop) {
  const opens = new Map();
  for (const { entry } of entriesOf(history, 'open')) opens.set(entry.conn, entry.t);
  const deliveries = deliveriesOf(history);
  for (const { entry } of entriesOf(history, 'pub')) {
    if (!accept(entry)) continue;
    const nextSpawn = history.spawns.find((t) => t > opens.get(entry.conn));
    const late = deliveries
      .get(`${idOf(entry)} ${entry.to[0]}`)
      ?.some((place) => opens.get(place.entry.conn) > nextSpawn);
    if (late !== true) continue;
    const gone = drop(entry, deliveries);
    if (gone === undefined) continue;
    for (const place of entriesOf(history, 'conf')) {
      if (place.entry.conn === entry.conn) blank([place]);
    }
    blank(gone);
    return true;
  }
  return false;
}

function halveFanout(history) {
  return halveSurvivor(
    history,
    ({ to, group, once }) => to.length > 1 && group === null && once === undefined,
    (entry, deliveries) => deliveries.get(`${idOf(entry)} ${entry.to[1]}`),
  );
}

/** Published and given out before a kill, never confirmed; of the other queue nothing is known. */
function halveSeen(history) {
  const opens = new Map();
  for (const { entry } of entriesOf(history, 'open')) opens.set(entry.conn, entry.t);
  const confirmed = confirmedIds(history);
  const deliveries = deliveriesOf(history);
  for (const { entry } of entriesOf(history, 'pub')) {
    const [one, other] = entry.to;
    if (history.queues[one]?.sure !== true || confirmed.has(idOf(entry))) continue;
    const places = deliveries.get(`${idOf(entry)} ${one}`);
    const nextSpawn = history.spawns.find((t) => t > opens.get(entry.conn));
    const early = places?.every((place) => !(opens.get(place.entry.conn) > nextSpawn));
    const lost = deliveries.get(`${idOf(entry)} ${other}`);
    if (entry.group !== null || early !== true || lost === undefined) continue;
    blank(lost);
    return true;
  }
  return false;
}

function halveTransaction(history) {
  return halveSurvivor(
    history,
    ({ to, group }) => to.length > 0 && group !== null,
    (entry, deliveries) => {
      const other = find(history, 'pub', ({ group, seq, to }) => {
        return group === entry.group && seq !== entry.seq && to.length > 0;
      });
      if (other === null) return undefined;
      return deliveries.get(`${idOf(other.entry)} ${other.entry.to[0]}`);
    },
  );
}

function doubleMove(history) {
  const moved = movedForGood(history, 'crash.dead').at(-1);
  if (moved === undefined) return false;
  return redeliver(history, moved[0], { queue: 'crash.work' });
}

function loseMove(history) {
  const [moved] = movedForGood(history, 'crash.dead');
  if (moved === undefined) return false;
  blank(moved);
  return true;
}

function confirmTwice(history) {
  const place = find(history, 'conf', () => true);
  if (place === null) return false;
  place.journal.splice(place.at, 0, place.entry);
  return true;
}

function confirmEarly(history) {
  const place = find(history, 'conf', () => true);
  if (place === null) return false;
  place.journal[place.at] = { ...place.entry, tag: 1_000_000_000 };
  return true;
}

function loseReturn(history) {
  const confirmed = confirmedIds(history);
  const place = find(history, 'return', (entry) => confirmed.has(idOf(entry)));
  if (place === null) return false;
  blank([place]);
  return true;
}

function loseQueue(history) {
  return loseLookup(history, 'queue');
}

function losePolicy(history) {
  return loseLookup(history, 'policy');
}

function loseLookup(history, kind) {
  const at = history.lookups.findIndex(({ what, expected }) => what === kind && expected);
  if (at < 0) return false;
  history.lookups[at] = { ...history.lookups[at], found: false };
  return true;
}

function keepTransient(history) {
  const place = find(history, 'dlv', ({ queue }) => queue === 'crash.transient');
  if (place === null) return false;
  redeliver(history, place, {});
  return true;
}
