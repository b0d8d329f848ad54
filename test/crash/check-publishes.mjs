// The part of the judge that knows publishers: what they sent, and what the broker answered. Never looks at deliveries.
import { idOf, spawnOf, take } from './entries.mjs';
import { count, fault } from './verdict.mjs';

/** Notes each message that was published, and how it was answered, in `state.messages`. */
export function readPublishes(state, journal) {
  const conns = new Map();
  for (const entry of journal) {
    if (entry.e === 'open') {
      const spawn = spawnOf(state.history, entry);
      conns.set(entry.conn, { spawn, lastTag: 0, waiting: new Map() });
    } else if (entry.e === 'pub') {
      publish(state, conns.get(entry.conn), entry);
    } else if (entry.e === 'conf' || entry.e === 'refuse') {
      confirm(state, conns.get(entry.conn), entry);
    } else if (entry.e === 'return') {
      giveBack(state, entry);
    }
  }
}

function publish(state, conn, entry) {
  const message = {
    id: idOf(entry),
    pub: entry.pub,
    seq: entry.seq,
    to: entry.to,
    persistent: entry.persistent,
    priority: entry.priority,
    dueAt: (entry.t ?? 0) + 1_000 * (entry.delay ?? 0),
    delayed: (entry.delay ?? 0) > 0,
    group: entry.group,
    once: entry.once ?? null,
    spawn: conn.spawn,
    sentAt: entry.t ?? 0,
    fate: 'unknown',
    returned: false,
    survived: false,
    /** Whether a queue gave it out that does so once it is durable. */
    seen: false,
    /** @type {Map<string, any[]>} */
    deliveries: new Map(),
  };
  if (state.messages.has(message.id)) throw new Error(`the id ${message.id} was used twice`);
  state.messages.set(message.id, message);
  conn.lastTag = entry.tag;
  conn.waiting.set(entry.tag, message);
  count(state, 'published');
}

function confirm(state, conn, entry) {
  const { e, conn: name, tag, multiple } = entry;
  if (tag > conn.lastTag || tag < 1) {
    fault(state, 'I9', `${name}: tag ${tag} confirmed, the last published is ${conn.lastTag}`);
    return;
  }
  if (!conn.waiting.has(tag)) fault(state, 'I9', `${name}: tag ${tag} confirmed a second time`);
  for (const message of take(conn.waiting, tag, multiple)) {
    message.fate = e === 'conf' ? 'confirmed' : 'refused';
    count(state, message.fate);
    judgeTerm(state, conn, message, entry);
    if (message.to.length === 0 && !message.returned) {
      fault(state, 'I9', `${message.id}: confirmed before its return`);
    }
  }
}

/** How long after it was sent a signal a process may go on. */
const STOPPING_US = 100_000;

/**
 * A leader that another one has followed must not believe that it leads still. What it had read before it was paused, it may
 * have been about to confirm at that very moment. Where another one's clock ran ahead of time, neither could know better.
 */
function judgeTerm(state, { spawn }, message, { e, since }) {
  const { pauses = [], terms = [], hurries = [] } = state.history;
  const pause = pauses.find(({ epoch }) => epoch === spawn);
  const next = terms.find(({ epoch }) => epoch > spawn);
  if (e !== 'conf' || next === undefined || since <= next.t || hurries.includes(spawn)) return;
  const { t } = pause ?? next;
  if (message.sentAt <= t + STOPPING_US) return;
  const was = pause === undefined ? 'was cut off' : 'was paused';
  const text = `confirmed ${since - next.t} us after another node leads`;
  fault(state, 'I24', `${message.id}: sent to a leader that ${was}, ${text}`);
}

function giveBack(state, entry) {
  const message = state.messages.get(idOf(entry));
  if (message === undefined) {
    fault(state, 'I2', `${idOf(entry)}: returned, but never published`);
    return;
  }
  if (message.to.length > 0) fault(state, 'I9', `${message.id}: returned although it has a queue`);
  if (message.returned) fault(state, 'I9', `${message.id}: returned twice`);
  message.returned = true;
  count(state, 'returned');
}
