// Owns what a case knows of the messages it has published: which of them have to be in the witness, and
// whether what a queue gave is what was published. Never talks to a broker.
import type { Fields } from '../support/amqp-wire.ts';
import { Finding } from './fuzz-broker.ts';

/** What is known of one message. */
interface Published {
  readonly body: Buffer;
  /** The properties as they were sent; null: not byte by byte. */
  readonly sent: Buffer | null;
  readonly persistent: boolean;
  readonly toWitness: boolean;
  confirmed: boolean;
  /** Taken out of the witness by a consumer. */
  taken: boolean;
  /** A restart or a kill may have changed where it is. */
  unsure: boolean;
}

/** The messages of one case. */
export class Ledger {
  private readonly all = new Map<string, Published>();
  /** Whether copies of messages may have been moved into the witness on purpose of their headers. */
  inexact = false;

  /** Makes the body of the next message, which names it. */
  newBody(bytes: number): { id: string; body: Buffer } {
    const id = `m${this.all.size}`;
    const body = Buffer.from(`${id}|`.padEnd(bytes, '.'));
    return { id, body };
  }

  add(
    id: string,
    body: Buffer,
    sent: Buffer | null,
    persistent: boolean,
    toWitness: boolean,
  ): void {
    const state = { confirmed: false, taken: false, unsure: false };
    this.all.set(id, { body, sent, persistent, toWitness, ...state });
  }

  confirm(id: string): void {
    const message = this.all.get(id);
    if (message !== undefined) message.confirmed = true;
  }

  /** Notes that a consumer of the witness has taken it for good. */
  take(body: string | Buffer): void {
    const message = this.find(body);
    if (message !== undefined) message.taken = true;
  }

  /** What is transient is gone; after a kill, acks may be undone. */
  noteRestart(hard: boolean): void {
    for (const message of this.all.values()) {
      if (!message.persistent || (hard && (message.taken || !message.confirmed)))
        message.unsure = true;
    }
  }

  /** A message that came out of a queue: one that was published, with all its bytes. */
  expectKnown(where: string, body: Buffer): void {
    const message = this.find(body);
    if (message?.body.equals(body) === true) return;
    throw new Finding(
      'content',
      `${where} gave a body that nobody sent: ${body.toString().slice(0, 100)}`,
    );
  }

  /** A message that came as it was sent, before it died or came back: with the same properties. */
  expectUntouched(where: string, body: Buffer, payload: Buffer, properties: Fields): void {
    const headers = (properties['headers'] ?? {}) as Fields;
    const sent = this.find(body)?.sent ?? null;
    if (sent === null || 'x-death' in headers || 'x-delivery-count' in headers) return;
    const [was, is] = [sent.subarray(12), payload.subarray(12)];
    if (was.equals(is)) return;
    throw new Finding(
      'content',
      `${where} gave other properties than were sent: ${was.toString('hex')} became ${is.toString('hex')}`,
    );
  }

  /** Judges what was found in the witness at the end, body by body. */
  expectConserved(found: readonly Buffer[]): void {
    const counts = new Map<Published, number>();
    for (const body of found) {
      const message = this.find(body);
      if (message !== undefined) counts.set(message, (counts.get(message) ?? 0) + 1);
    }
    for (const [id, message] of this.all) {
      if (!message.toWitness) continue;
      const count = counts.get(message) ?? 0;
      const most = message.taken && !message.unsure ? 0 : 1;
      const least = message.confirmed && !message.taken && !message.unsure ? 1 : 0;
      if (count < least) throw new Finding('lost', `${id} was confirmed, and is in no queue`);
      if (count > most && !this.inexact) {
        throw new Finding('doubled', `${id} is there ${count} times, and may be ${most} times`);
      }
    }
  }

  private find(body: string | Buffer): Published | undefined {
    const text = body.toString();
    return this.all.get(text.slice(0, text.indexOf('|')));
  }
}
