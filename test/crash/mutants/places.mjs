// Finds the places of a history that mutants spoil, and changes them. Never judges.

export function* entriesOf(history, kind) {
  for (const journal of Object.values(history.journals)) {
    for (let at = 0; at < journal.length; at++) {
      if (journal[at].e === kind) yield { journal, at, entry: journal[at] };
    }
  }
}

export function find(history, kind, accept) {
  for (const place of entriesOf(history, kind)) if (accept(place.entry)) return place;
  return null;
}

export const idOf = ({ pub, seq }) => `${pub}/${seq}`;

/** Whether a queue keeps all its messages until a consumer settles them, and nothing moves any to it or from it. */
export function staysIn(history, queue) {
  const { diesOf, once } = history.queues[queue] ?? { once: true };
  const isTarget = Object.values(history.queues).some(({ deadLetterTo }) => deadLetterTo === queue);
  return diesOf === undefined && once === undefined && !isTarget;
}

/** The places of all deliveries, by id and queue. */
export function deliveriesOf(history) {
  const byId = new Map();
  for (const place of entriesOf(history, 'dlv')) {
    const key = `${idOf(place.entry)} ${place.entry.queue}`;
    if (!byId.has(key)) byId.set(key, []);
    byId.get(key).push(place);
  }
  return byId;
}

/** The ids with a confirm, found the plain way. */
export function confirmedIds(history) {
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
export function blank(places) {
  for (const { journal, at } of places) journal[at] = { e: 'conf-of-nothing' };
}

/** Adds a delivery to the end of its consumer's journal, on its last connection, if it has one. */
export function redeliver(history, { entry }, changes) {
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

/** Where in its journal a delivery was settled, and how; null: it never was. */
export function settleOf({ journal, at, entry }) {
  const settledAt = journal.findIndex(
    ({ e, conn, tag, multiple }, index) =>
      index > at &&
      e === 'settle' &&
      conn === entry.conn &&
      (multiple ? tag >= entry.tag : tag === entry.tag),
  );
  return settledAt < 0 ? null : { settledAt, ...journal[settledAt] };
}

/** The entry that says that a barrier behind another entry of a journal was passed. */
export function passedBehind(journal, settledAt) {
  const { conn } = journal[settledAt];
  const barrier = journal.find(
    (entry, index) => index > settledAt && entry.e === 'barrier' && entry.conn === conn,
  );
  return journal.find(({ e, conn: on, n }) => e === 'passed' && on === conn && n === barrier?.n);
}

/** The deliveries of each confirmed message that was moved to a queue. */
export function movedOnes(history, queue) {
  const confirmed = confirmedIds(history);
  return [...deliveriesOf(history).values()].filter(
    ([{ entry }]) => entry.queue === queue && confirmed.has(idOf(entry)),
  );
}

/** Those of them that no kill has undone: one of these deliveries was acked, and a barrier behind that has passed. */
export function movedForGood(history, queue) {
  return movedOnes(history, queue).filter((places) =>
    places.some((place) => {
      const settle = settleOf(place);
      return settle?.how === 'ack' && passedBehind(place.journal, settle.settledAt) !== undefined;
    }),
  );
}
