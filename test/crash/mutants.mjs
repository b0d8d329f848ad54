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
  { name: 'an expired message is in both queues', rule: 'I8', spoil: doubleOwnMove },
  { name: 'an expired message is in neither queue', rule: 'I8', spoil: loseOwnMove },
  { name: 'an expired message was moved twice', rule: 'I8', spoil: moveTwice },
  { name: 'a publish is confirmed twice', rule: 'I9', spoil: confirmTwice },
  { name: 'a publish is confirmed before it was sent', rule: 'I9', spoil: confirmEarly },
  { name: 'a return never comes', rule: 'I9', spoil: loseReturn },
  { name: 'a declared queue is gone', rule: 'I10', spoil: loseQueue },
  { name: 'a policy is gone', rule: 'I10', spoil: losePolicy },
  { name: 'a transient message survives a restart', rule: 'I12', spoil: keepTransient },
  { name: 'a return is not counted', rule: 'I13', spoil: loseReturnCount },
  { name: 'a count behind a barrier is lost by a kill', rule: 'I13', spoil: loseDurableCount },
  { name: 'a message came back beyond the limit', rule: 'I13', spoil: exceedLimit },
  { name: 'priorities change places after a restart', rule: 'I14', spoil: swapPriorities },
  { name: 'a message comes before its time', rule: 'I15', spoil: hurry },
  { name: 'one that came back comes too early', rule: 'I15', spoil: hurryReturn },
  { name: 'another worker is given a message within a lease', rule: 'I16', spoil: breakLease },
  { name: 'two of a group are out at a time', rule: 'I18', spoil: hurryGroup },
  { name: 'one of a group overtakes one that was put back', rule: 'I18', spoil: overtake },
  { name: 'two of a group change places', rule: 'I6', spoil: swapInGroup },
  { name: 'a duplicate is delivered, too', rule: 'I19', spoil: deliverDuplicate },
  { name: 'a key is known, and its message is gone', rule: 'I19', spoil: loseOnce },
  { name: 'what an exchange lets pass is in one queue', rule: 'I19', spoil: halveFirst },
  { name: 'two with a key are there at a time', rule: 'I19', spoil: takeBoth },
  { name: 'a key is known, and its message is done', rule: 'I19', spoil: refuseFreed },
  { name: 'a tick is published twice', rule: 'I17', spoil: repeatTick },
  { name: 'a tick is noted, and its message is gone', rule: 'I17', spoil: loseTick },
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

/** Whether a queue keeps its messages until a consumer settles them. */
function staysIn(history, queue) {
  return queue !== undefined && history.queues[queue].diesOf === undefined;
}

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

/** Adds a delivery to the end of its consumer's journal, on its last connection, if it has one. */
function redeliver(history, { entry }, changes) {
  const journal = Object.values(history.journals).find((entries) =>
    entries.some(({ e, queue }) => e === 'dlv' && queue === (changes.queue ?? entry.queue)),
  );
  if (journal === undefined) return false;
  const prefix = journal.findLast(
    ({ e, queue }) => e === 'dlv' && queue === (changes.queue ?? entry.queue),
  ).conn;
  const name = prefix.slice(0, prefix.indexOf('#') + 1);
  const open = journal.findLast(({ e, conn }) => e === 'open' && conn.startsWith(name));
  let last = Math.max(open.t, history.spawns.at(-1));
  for (const place of entriesOf(history, 'dlv')) last = Math.max(last, place.entry.t);
  const t = last + 1_000_000;
  journal.push({ ...entry, conn: open.conn, t, tag: 1_000_000_000, redelivered: true, ...changes });
  return true;
}

// ---- the mutants ------------------------------------------------------------------------------

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
    const { journal, at, entry } = place;
    if (entry.queue !== 'crash.fan.1') continue;
    const settledAt = journal.findIndex(
      ({ e, conn, tag, how, multiple }, index) =>
        index > at &&
        e === 'settle' &&
        conn === entry.conn &&
        how === 'ack' &&
        (multiple ? tag >= entry.tag : tag === entry.tag),
    );
    if (settledAt < 0 || passedBehind(journal, settledAt) === undefined) continue;
    redeliver(history, place, {});
    return true;
  }
  return false;
}

/** The entry that says that a barrier behind another entry of a journal was passed. */
function passedBehind(journal, settledAt) {
  const { conn } = journal[settledAt];
  const barrier = journal.find(
    (entry, index) => index > settledAt && entry.e === 'barrier' && entry.conn === conn,
  );
  return journal.find(({ e, conn: on, n }) => e === 'passed' && on === conn && n === barrier?.n);
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

function movedOnes(history, queue = 'crash.dead') {
  const confirmed = confirmedIds(history);
  return [...deliveriesOf(history).values()].filter(
    ([{ entry }]) => entry.queue === queue && confirmed.has(idOf(entry)),
  );
}

/** Takes the last one, which no kill can have undone. */
function doubleMove(history) {
  const moved = movedOnes(history).at(-1);
  if (moved === undefined) return false;
  return redeliver(history, moved[0], { queue: 'crash.work' });
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

function doubleOwnMove(history) {
  const moved = movedOnes(history, 'crash.ttl.dead').at(-1);
  if (moved === undefined) return false;
  return redeliver(history, moved[0], { queue: 'crash.ttl' });
}

function loseOwnMove(history) {
  const [moved] = movedOnes(history, 'crash.ttl.dead');
  if (moved === undefined) return false;
  blank([...moved, ...(deliveriesOf(history).get(`${idOf(moved[0].entry)} crash.ttl`) ?? [])]);
  return true;
}

function moveTwice(history) {
  const place = find(history, 'dlv', ({ queue }) => queue === 'crash.ttl.dead');
  if (place === null) return false;
  const { conn, t } = place.entry;
  const journal = Object.values(history.journals).find((entries) => entries.includes(place.entry));
  const settled = journal.find(
    ({ e, conn: other, tag, multiple }) =>
      e === 'settle' &&
      other === conn &&
      (multiple ? tag >= place.entry.tag : tag === place.entry.tag),
  );
  if (settled?.how !== 'ack') return false;
  redeliver(history, place, { conn, t: t + 1 });
  return true;
}

/** Two deliveries of one message from the queue with a limit, the later one given a count. */
function spoilCount(history, accept, countOf) {
  for (const places of deliveriesOf(history).values()) {
    if (places[0].entry.queue !== 'crash.limit') continue;
    for (const [i, later] of places.entries()) {
      const earlier = places.slice(0, i).find((place) => accept(place, later));
      if (earlier === undefined) continue;
      later.journal[later.at] = { ...later.entry, count: countOf(earlier.entry) };
      return true;
    }
  }
  return false;
}

function loseReturnCount(history) {
  return spoilCount(
    history,
    (first, second) => first.entry.conn === second.entry.conn,
    ({ count }) => count,
  );
}

/** Requeued by itself, a barrier passed after it, and delivered again after the next start. */
function loseDurableCount(history) {
  const accept = ({ entry, journal, at }, second) => {
    if (!history.spawns.some((t) => t > entry.t && t < second.entry.t)) return false;
    const settledAt = journal.findIndex(
      ({ e, conn, tag, how, multiple }, index) =>
        index > at &&
        e === 'settle' &&
        conn === entry.conn &&
        how === 'requeue' &&
        !multiple &&
        tag === entry.tag,
    );
    if (settledAt < 0) return false;
    const passed = passedBehind(journal, settledAt);
    return passed !== undefined && passed.t < second.entry.t;
  };
  return spoilCount(history, accept, ({ count }) => count);
}

/** A message whose delay is long is published later than it was. */
function hurry(history) {
  for (const journal of Object.values(history.journals)) {
    const at = journal.findIndex(({ e, delay }) => e === 'pub' && delay > 50);
    if (at < 0) continue;
    const id = `${journal[at].pub}/${journal[at].seq}`;
    for (const entry of entriesOf(history, 'dlv')) {
      if (`${entry.entry.pub}/${entry.entry.seq}` !== id) continue;
      journal[at] = { ...journal[at], t: entry.entry.t };
      return true;
    }
  }
  return false;
}

/** What was put back was put back just as it came again. */
function hurryReturn(history) {
  for (const journal of Object.values(history.journals)) {
    const settles = new Map();
    for (const [at, entry] of journal.entries()) {
      if (entry.e === 'settle' && entry.how === 'requeue' && !entry.multiple) {
        settles.set(`${entry.conn} ${entry.tag}`, at);
      }
    }
    const latest = new Map();
    for (const entry of journal) {
      if (entry.e !== 'dlv' || entry.queue !== 'crash.retry') continue;
      const id = `${entry.conn} ${entry.pub}/${entry.seq}`;
      const before = latest.get(id);
      latest.set(id, entry);
      const at = before && settles.get(`${before.conn} ${before.tag}`);
      if (at === undefined) continue;
      journal[at] = { ...journal[at], t: entry.t };
      return true;
    }
  }
  return false;
}

/** What hangs with a worker comes again at once. */
function breakLease(history) {
  const ends = new Map();
  for (const { entry } of entriesOf(history, 'leave')) ends.set(entry.conn, entry.t);
  for (const { entry } of entriesOf(history, 'settle')) {
    ends.set(`${entry.conn} ${entry.tag}`, entry.t ?? Number.POSITIVE_INFINITY);
  }
  const again = ({ t }) => t + 1_000;
  const place = find(history, 'dlv', (entry) => {
    if (entry.queue !== 'crash.lease') return false;
    const { conn, tag } = entry;
    const endings = [conn, `${conn} ${tag}`].map(
      (key) => ends.get(key) ?? Number.POSITIVE_INFINITY,
    );
    return Math.min(...endings) > again(entry);
  });
  if (place === null) return false;
  const t = again(place.entry);
  return redeliver(history, place, { conn: place.entry.conn, t, since: t });
}

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

function loseFrom(history, queue) {
  const confirmed = confirmedIds(history);
  const places = [...deliveriesOf(history).values()].find(
    ([{ entry }]) => entry.queue === queue && confirmed.has(idOf(entry)),
  );
  if (places === undefined) return false;
  blank(places);
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
  const settled = new Map();
  for (const { entry } of entriesOf(history, 'settle')) {
    if (!entry.multiple) settled.set(`${entry.conn} ${entry.tag}`, entry.t ?? 0);
  }
  for (const line of groupsOf(history)) {
    for (const [i, { entry, journal, at }] of line.entries()) {
      const before = line[i - 1]?.entry;
      if (before === undefined || history.spawns.some((t) => t > before.t && t <= entry.t))
        continue;
      const endedAt = settled.get(`${before.conn} ${before.tag}`) ?? 0;
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

function repeatTick(history) {
  return spoilTicks(history, 1);
}

function loseTick(history) {
  return spoilTicks(history, -1);
}

function spoilTicks(history, by) {
  const last = history.ticks.at(-1);
  if (last === undefined) return false;
  history.ticks = [...history.ticks.slice(0, -1), { ...last, found: last.found + by }];
  return true;
}

function exceedLimit(history) {
  return spoilCount(
    history,
    () => true,
    () => 99,
  );
}

/** Two messages from before a kill, of different priority, on the first connection after it. */
function swapPriorities(history) {
  const opens = new Map();
  for (const { entry } of entriesOf(history, 'open')) opens.set(entry.conn, entry.t);
  const published = new Map();
  for (const { entry } of entriesOf(history, 'pub'))
    published.set(idOf(entry), opens.get(entry.conn));
  for (const spawn of history.spawns.slice(1)) {
    const isOld = ({ entry }) => published.get(idOf(entry)) < spawn;
    const next = history.spawns.find((t) => t > spawn) ?? Number.POSITIVE_INFINITY;
    const places = [...entriesOf(history, 'dlv')].filter(({ entry }) => {
      const openedAt = opens.get(entry.conn);
      return entry.queue === 'crash.priority' && openedAt > spawn && openedAt < next;
    });
    const old = places.filter(isOld).filter(({ entry }) => entry.conn === places[0].entry.conn);
    const first = old[0];
    const second = old.find(({ entry }) => entry.priority < first.entry.priority);
    if (second === undefined) continue;
    const { pub, seq, priority } = first.entry;
    const other = second.entry;
    first.journal[first.at] = {
      ...first.entry,
      pub: other.pub,
      seq: other.seq,
      priority: other.priority,
    };
    second.journal[second.at] = { ...other, pub, seq, priority };
    return true;
  }
  return false;
}
