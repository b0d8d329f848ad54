// What a publisher process and a consumer process have in common: the journal file, the clock, a
// connection that is made anew after each kill, and the supervisor's commands over IPC.
import { closeSync, openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';

const FLUSH_AT_CHARS = 256 * 1024;
const RETRY_MS = 20;
/** Among several hosts most refuse at once, and one that hangs is given up sooner. */
const RETRY_HOSTS_MS = 100;
const CONNECT_MS = 5000;
const CONNECT_HOSTS_MS = 3000;

/** The machine's monotonic clock in microseconds: the same for every process. */
export function now() {
  return Number(process.hrtime.bigint() / 1000n);
}

/** Lines of JSON in a file; the supervisor reads it once the process has said it is flushed. */
export class Journal {
  constructor(path) {
    this.file = openSync(path, 'a');
    this.lines = [];
    this.chars = 0;
  }

  /** @param {import('./check.d.mts').Entry} entry */
  note(entry) {
    const line = JSON.stringify(entry);
    this.lines.push(line);
    this.chars += line.length;
    if (this.chars > FLUSH_AT_CHARS) this.flush();
  }

  flush() {
    if (this.lines.length > 0) writeSync(this.file, `${this.lines.join('\n')}\n`);
    this.lines = [];
    this.chars = 0;
  }

  /** Goes on in another file: the next part of the run is judged by itself. */
  turnTo(path) {
    this.flush();
    closeSync(this.file);
    this.file = openSync(path, 'a');
  }
}

/**
 * Connects again and again for as long as the process lives, with several hosts to the next one that takes it. `hold` gets
 * a connection and returns a promise that ends when it is lost.
 * @param {readonly string[]} urls
 * @param {string} name
 * @param {Journal} journal
 * @param {(link: Link) => Promise<void>} hold
 */
export async function stayConnected(urls, name, journal, hold) {
  const several = urls.length > 1;
  const timeout = several ? CONNECT_HOSTS_MS : CONNECT_MS;
  // Not all begin at the same one.
  let host = Number.parseInt(name.slice(1), 36) % urls.length;
  for (let attempt = 1; ; attempt++) {
    const t = now();
    const model = await connect(urls[host], { timeout, noDelay: true }).catch(() => null);
    if (model === null) {
      host = (host + 1) % urls.length;
      await sleep(several ? RETRY_HOSTS_MS : RETRY_MS);
      continue;
    }
    const link = new Link(model, `${name}#${attempt}`, t, journal);
    if (several) link.host = host;
    link.noteOpen();
    await Promise.race([hold(link).catch(() => link.drop()), link.lost]);
    await link.lost;
    if (link.forsaken) host = (host + 1) % urls.length;
  }
}

/** One connection of one publisher or consumer. */
export class Link {
  constructor(model, conn, t, journal) {
    this.model = model;
    this.conn = conn;
    this.t = t;
    this.journal = journal;
    this.open = true;
    /** Which of several hosts it goes to, and when it was there. */
    this.host = -1;
    this.at = now();
    /** Its own port, by which a broker names it. */
    this.port = model.connection.stream.localPort ?? 0;
    /** Its host is not to be tried again at once. */
    this.forsaken = false;
    this.lost = new Promise((resolve) => {
      this.end = () => {
        this.open = false;
        resolve();
      };
    });
    model.on('close', this.end);
    model.on('error', () => {});
    // It may be over before anybody could listen, and then amqplib says no more about it.
    if (model.connection.expectSocketClose) this.end();
  }

  noteOpen() {
    const { port } = this;
    const where = this.host < 0 ? {} : { host: this.host, at: this.at, port };
    this.journal.note({ e: 'open', conn: this.conn, t: this.t, ...where });
  }

  /** Gives the connection up without a word, as a crashed client would. */
  drop() {
    this.journal.note({ e: 'leave', conn: this.conn, t: now() });
    this.model.connection.stream.destroy(new Error('dropped'));
    this.end();
  }

  /** Gives it up where it goes to a host that says nothing any more, as a client does after heartbeats. */
  leaveHost(host) {
    if (this.host !== host || !this.open) return;
    this.forsaken = true;
    this.drop();
  }

  /** A channel error ends the connection too: nothing here provokes one on purpose. */
  watch(channel) {
    channel.on('error', (error) => {
      if (this.open) process.send?.({ incident: `${this.conn}: ${error.message}` });
    });
    channel.on('close', () => {
      if (this.open) this.drop();
    });
    return channel;
  }
}

// The methods amqplib has no functions for.
const TX_SELECT = 0x5a000a;
const TX_SELECT_OK = 0x5a000b;
const TX_COMMIT = 0x5a0014;
const TX_COMMIT_OK = 0x5a0015;

/** Starts transaction mode. */
export function selectTx(channel) {
  return channel.rpc(TX_SELECT, {}, TX_SELECT_OK);
}

/** Resolves with the broker's answer to a commit. */
export function commitTx(channel) {
  return channel.rpc(TX_COMMIT, {}, TX_COMMIT_OK);
}

/**
 * Answers the supervisor's questions: `{ id, ask, ... }` is answered by `{ id, answer }`.
 * @param {Record<string, (message: any) => unknown>} answers
 */
export function answerSupervisor(answers) {
  process.on('message', async (message) => {
    const answer = await answers[message.ask](message);
    process.send?.({ id: message.id, answer: answer ?? null });
  });
  process.on('disconnect', () => process.exit(0));
  // Ctrl-C reaches the whole group: the supervisor decides.
  process.on('SIGINT', () => {});
}
