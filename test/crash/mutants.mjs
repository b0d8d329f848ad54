// Spoils a clean history in each way a broker could, one at a time, to prove that the judge finds
// it. Works on copies; never changes the history it is given.
import { check } from './check.mjs';

/** @typedef {import('./check.d.mts').History} History */

/**
 * Each gets a copy whose journals may be changed, and tells whether there was a place to spoil.
 * @type {{ name: string, rule: string, spoil: (history: History) => boolean }[]}
 */
export const MUTANTS = [
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
  { name: 'a rejected message is in both queues', rule: 'I7', spoil: doubleMove },
  { name: 'a rejected message is in neither queue', rule: 'I7', spoil: loseMove },
  { name: 'a publish is confirmed twice', rule: 'I9', spoil: confirmTwice },
  { name: 'a publish is confirmed before it was sent', rule: 'I9', spoil: confirmEarly },
  { name: 'a return never comes', rule: 'I9', spoil: loseReturn },
  { name: 'a declared queue is gone', rule: 'I10', spoil: loseQueue },
  { name: 'a transient message survives a restart', rule: 'I12', spoil: keepTransient },
];

/**
 * Runs every mutant over a history that has no violations. `found` is null when the history has no
 * place for the mutant.
 * @param {History} clean
 * @returns {{ name: string, rule: string, found: boolean | null }[]}
 */
export function runMutants(clean) {
  return MUTANTS.map(({ name, rule, spoil }) => {
    const copy = { ...clean, journals: {}, lookups: [...clean.lookups] };
    for (const [client, journal] of Object.entries(clean.journals)) {
      copy.journals[client] = [...journal];
    }
    if (!spoil(copy)) return { name, rule, found: null };
    const { violations } = check(copy);
    return { name, rule, found: violations.some((violation) => violation.rule === rule) };
  });
}

// ---- finding places ---------------------------------------------------------------------------

function* entriesOf(history, kind) {
  for (const journal of Object.values(history.journals)) {
    for (let at = 0; at < journal.length; at++) {
      if (journal[at].e === kind) yield { journal, at, entry: journal[at] };
    }
  }
}

function find(history, kind, accept) {
  for (const place of entriesOf(history, kind)) if (accept(place.entry)) return place;
  return null;
}

const idOf = ({ pub, seq }) => `${pub}/${seq}`;

/** The places of all deliveries, by id and queue. */
function deliveriesOf(history) {
  const byId = new Map();
  for (const place of entriesOf(history, 'dlv')) {
    const key = `${idOf(place.entry)} ${place.entry.queue}`;
    if (!byId.has(key)) byId.set(key, []);
    byId.get(key).push(place);
  }
  return byId;
}

/** The ids with a confirm, found the plain way. */
function confirmedIds(history) {
  const confirmed = new Set();
  for (const journal of Object.values(history.journals)) {
    const waiting = new Map();
    for (const entry of journal) {
      if (entry.e === 'pub') waiting.set(`${entry.conn} ${entry.tag}`, entry);
      if (entry.e !== 'conf') continue;
      for (let tag = entry.tag; tag > 0; tag--) {
        const published = waiting.get(`${entry.conn} ${tag}`);
        if (published === undefined) break;
        confirmed.add(idOf(published));
        waiting.delete(`${entry.conn} ${tag}`);
        if (!entry.multiple) break;
      }
    }
  }
  return confirmed;
}

/** Takes entries out without moving the others, so that places stay right. */
function blank(places) {
  for (const { journal, at } of places) journal[at] = { e: 'conf-of-nothing' };
}

/** Adds a delivery to the end of a consumer's journal, on its last connection. */
function redeliver(history, { entry }, changes) {
  const journal = Object.values(history.journals).find((entries) =>
    entries.some(({ e, queue }) => e === 'dlv' && queue === (changes.queue ?? entry.queue)),
  );
  const prefix = journal.findLast(
    ({ e, queue }) => e === 'dlv' && queue === (changes.queue ?? entry.queue),
  ).conn;
  const name = prefix.slice(0, prefix.indexOf('#') + 1);
  const open = journal.findLast(({ e, conn }) => e === 'open' && conn.startsWith(name));
  let last = Math.max(open.t, history.spawns.at(-1));
  for (const place of entriesOf(history, 'dlv')) last = Math.max(last, place.entry.t);
  const t = last + 1_000_000;
  journal.push({ ...entry, conn: open.conn, t, tag: 1_000_000_000, redelivered: true, ...changes });
}

// ---- the mutants ------------------------------------------------------------------------------

function loseConfirmed(history) {
  const confirmed = confirmedIds(history);
  const published = find(
    history,
    'pub',
    (entry) => entry.persistent && entry.to.length > 0 && confirmed.has(idOf(entry)),
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
  const place = find(history, 'dlv', ({ queue }) => queue === 'crash.fan.1');
  if (place === null) return false;
  redeliver(history, place, {});
  return true;
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
    ({ to, group }) => to.length > 1 && group === null,
    (entry, deliveries) => deliveries.get(`${idOf(entry)} ${entry.to[1]}`),
  );
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

function movedOnes(history) {
  const confirmed = confirmedIds(history);
  return [...deliveriesOf(history).values()].filter(
    ([{ entry }]) => entry.queue === 'crash.dead' && confirmed.has(idOf(entry)),
  );
}

function doubleMove(history) {
  const [moved] = movedOnes(history);
  if (moved === undefined) return false;
  redeliver(history, moved[0], { queue: 'crash.work' });
  return true;
}

function loseMove(history) {
  const [moved] = movedOnes(history);
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
  const at = history.lookups.findIndex(({ what, expected }) => what === 'queue' && expected);
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
