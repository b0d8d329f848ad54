// Owns the neighbour of all cases: a connection that sends messages to itself, and notes how long they take.
// Never does anything odd.
import type { RawConnection } from '../support/amqp-raw.ts';
import { Finding, type FuzzBroker } from './fuzz-broker.ts';

/** A witness that a neighbour is served while cases run. */
export class Bystander {
  slowestMs = 0;
  private readonly broker: FuzzBroker;
  private raw: RawConnection | null = null;
  private echoes = 0;

  constructor(broker: FuzzBroker) {
    this.broker = broker;
  }

  /** Sends a message to itself, and waits for it. */
  async echo(): Promise<void> {
    await this.join();
    const raw = this.raw as unknown as RawConnection;
    const body = Buffer.from(`echo ${this.echoes}`);
    this.echoes += 1;
    const sentMs = performance.now();
    raw.publish(1, { routingKey: 'bystander' }, { deliveryMode: 2 }, body);
    const got = await raw.message(1).catch(async (error: Error) => {
      await this.broker.expectAlive();
      throw new Finding('bystander', error.message);
    });
    if (!got.body.equals(body)) throw new Finding('bystander', `got ${got.body.toString()}`);
    this.slowestMs = Math.max(this.slowestMs, performance.now() - sentMs);
  }

  leave(): void {
    this.raw?.drop();
    this.raw = null;
  }

  /** Connects before time is moved on, which a login has little of. */
  async join(): Promise<void> {
    if (this.raw !== null) return;
    const raw = await this.broker.open();
    await raw.call(1, 'queue.declare', { queue: 'bystander', exclusive: true });
    await raw.call(1, 'basic.consume', { queue: 'bystander', noAck: true });
    this.raw = raw;
  }
}
