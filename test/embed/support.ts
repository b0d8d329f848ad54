// Owns a broker inside the test with one client, which end with the test. Never asserts.

import {
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  type ConsumeMessage,
  connect,
  type GetMessage,
} from 'amqplib';
import { onTestFinished } from 'vitest';
import type { BrokerOptions, EmbeddedBroker } from '../../src/embed/options.ts';
import { startBroker } from '../../src/embed/start-broker.ts';

/** A broker, with a channel in confirm mode. */
export interface Bench {
  readonly broker: EmbeddedBroker;
  readonly connection: ChannelModel;
  readonly channel: ConfirmChannel;
}

/** Starts a broker, and connects to it. */
export async function setUp(options?: BrokerOptions): Promise<Bench> {
  const broker = await startBroker(options);
  onTestFinished(() => broker.close());
  const connection = await client(broker.url);
  return { broker, connection, channel: await connection.createConfirmChannel() };
}

/** A connection whose errors are expected. */
export async function client(url: string): Promise<ChannelModel> {
  const connection = await connect(url, { noDelay: true });
  connection.on('error', () => {});
  return connection;
}

/** The message at the head of a queue; it stays unacked. */
export async function get(channel: Channel, queue: string): Promise<GetMessage> {
  const message = await channel.get(queue);
  if (message === false) throw new Error(`queue '${queue}' is empty`);
  return message;
}

/** The body of the message at the head of a queue, which is taken; null when it is empty. */
export async function take(channel: Channel, queue: string): Promise<string | null> {
  const message = await channel.get(queue, { noAck: true });
  return message === false ? null : message.content.toString();
}

/** Messages as they are delivered, in order. */
export class Inbox {
  readonly bodies: string[] = [];
  private waiting: ((message: ConsumeMessage) => void)[] = [];
  private readonly arrived: ConsumeMessage[] = [];

  add(message: ConsumeMessage): void {
    this.bodies.push(message.content.toString());
    const next = this.waiting.shift();
    if (next === undefined) this.arrived.push(message);
    else next(message);
  }

  /** The next message, once it is there. */
  next(): Promise<ConsumeMessage> {
    const first = this.arrived.shift();
    if (first !== undefined) return Promise.resolve(first);
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}

/** Consumes from a queue; nothing is acked. */
export async function consume(channel: Channel, queue: string): Promise<Inbox> {
  const inbox = new Inbox();
  await channel.consume(queue, (message) => {
    if (message !== null) inbox.add(message);
  });
  return inbox;
}
