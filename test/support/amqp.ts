// What the conformance tests share: connections that are closed and names that are deleted after
// each test, waiting for a condition, and where Leveret differs from RabbitMQ on purpose.
import { randomBytes } from 'node:crypto';
import type { GetMessage, Message, Options } from 'amqplib';
import { type Channel, type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { afterAll, afterEach, expect, inject, it } from 'vitest';
import { endpointOf, type OpenOptions, RawConnection, tlsOptionsOf } from './amqp-raw.ts';
import { methodIds } from './amqp-wire.ts';
import { PATIENCE_MS } from './patience.ts';

declare module 'vitest' {
  interface ProvidedContext {
    amqpUrl: string;
    /** Who has signed the certificate of the broker, for a URL of amqps; empty for no one. */
    amqpCa: string;
    brokerIsLeveret: boolean;
    brokerVersion: string;
    /** Ends the names of prepared vhosts and users; empty when nothing could be prepared. */
    preparedTag: string;
  }
}

export const isLeveret = inject('brokerIsLeveret');

/** The one list of differences: where it is used, Leveret departs from RabbitMQ 3.10 on purpose. */
export function expectedFor<T>(cases: { rabbitmq: T; leveret: T }): T {
  return isLeveret ? cases.leveret : cases.rabbitmq;
}

/** The name of a vhost or a user that conformance/prepared.ts makes for this run. */
export function prepared(name: string): string {
  return `conf-${name}-${inject('preparedTag')}`;
}

/** `it` for what needs them: skipped on a RabbitMQ without its HTTP API. */
export function withPrepared(title: string, test: () => Promise<void>): void {
  const without = inject('preparedTag') === '';
  it.skipIf(without)(without ? `${title} [no HTTP API to import definitions]` : title, test);
}

export interface Consumed {
  messages: Message[];
  bodies: string[];
  consumerTag: string;
  /** True once the broker has cancelled the consumer. */
  cancelled: boolean;
}

export interface Broker {
  url: string;
  /** An amqplib connection of the test's own. */
  connect(query?: string): Promise<ChannelModel>;
  /** A channel on a connection that the test's channels share. */
  channel(): Promise<Channel>;
  confirmChannel(): Promise<ConfirmChannel>;
  /** An open raw connection with channel 1 open. */
  raw(options?: OpenOptions): Promise<RawConnection>;
  /** A raw connection that has said nothing yet; see RawConnection.dial for `halfOpen`. */
  dial(options?: { readonly halfOpen?: boolean }): Promise<RawConnection>;
  /** A fresh name; queues and exchanges of that name are deleted after the test. */
  name(label?: string): string;
  /** Declares a queue under a fresh name; not durable unless asked. */
  queue(channel: Channel, options?: Options.AssertQueue): Promise<string>;
  exchange(channel: Channel, type: string, options?: Options.AssertExchange): Promise<string>;
}

export function useBroker(): Broker {
  const url = inject('amqpUrl');
  const endpoint = endpointOf(url);
  const tls = tlsOptionsOf(url, inject('amqpCa'));
  const models: ChannelModel[] = [];
  const raws: RawConnection[] = [];
  const names: string[] = [];
  let shared: ChannelModel | null = null;
  let janitor: RawConnection | null = null;

  async function open(query = ''): Promise<ChannelModel> {
    const model = await connect(`${url}${query}`, tls ?? {});
    model.on('error', () => undefined);
    models.push(model);
    return model;
  }

  async function sharedModel(): Promise<ChannelModel> {
    shared ??= await open();
    return shared;
  }

  async function sweep(): Promise<void> {
    if (names.length === 0) return;
    if (janitor === null || janitor.closed) {
      janitor = await RawConnection.dial(endpoint, tls);
      await janitor.open();
      await janitor.openChannel(1);
    }
    const sweeper = janitor;
    for (const name of names.splice(0)) {
      sweeper.send(1, 'exchange.delete', { exchange: name, nowait: true });
      // An exclusive queue stays locked until the broker has noticed that its connection is gone.
      await eventually(async () => {
        const reply = await sweeper.call(1, 'queue.delete', { queue: name });
        if (reply.name !== 'channel.close') return true;
        sweeper.send(1, 'channel.close-ok');
        await sweeper.openChannel(1);
        return false;
      }, `the deletion of ${name}`);
    }
  }

  afterEach(async () => {
    shared = null;
    await Promise.all(models.splice(0).map((model) => model.close().catch(() => undefined)));
    for (const raw of raws.splice(0)) raw.drop();
    await sweep();
  });

  afterAll(async () => {
    await janitor?.close();
    janitor = null;
  });

  const broker: Broker = {
    url,
    connect: open,
    async channel() {
      const channel = await (await sharedModel()).createChannel();
      channel.on('error', () => undefined);
      return channel;
    },
    async confirmChannel() {
      const channel = await (await sharedModel()).createConfirmChannel();
      channel.on('error', () => undefined);
      return channel;
    },
    async raw(options) {
      const raw = await broker.dial();
      const reply = await raw.open(options);
      if (reply.name !== 'connection.open-ok') {
        throw new Error(`no connection: ${JSON.stringify(reply)}`);
      }
      await raw.openChannel(1);
      return raw;
    },
    async dial({ halfOpen = false } = {}) {
      const raw = await RawConnection.dial(endpoint, tls, halfOpen);
      raws.push(raw);
      return raw;
    },
    name(label = 'q') {
      const name = `conf-${label}-${randomBytes(6).toString('hex')}`;
      names.push(name);
      return name;
    },
    async queue(channel, options) {
      const name = broker.name('q');
      await channel.assertQueue(name, { durable: false, ...options });
      return name;
    },
    async exchange(channel, type, options) {
      const name = broker.name('x');
      await channel.assertExchange(name, type, { durable: false, ...options });
      return name;
    },
  };
  return broker;
}

/** Polls until `check` gives something other than false, null or undefined. */
export async function eventually<T>(
  check: () => T | Promise<T>,
  what = 'the condition',
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const value = await check();
    if (value !== false && value !== null && value !== undefined) {
      return value as NonNullable<Exclude<T, false>>;
    }
    if (Date.now() > deadline) throw new Error(`${what} did not come about`);
    await pause(5);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Consumes into a list; settles nothing by itself. */
export async function collect(
  channel: Channel,
  queue: string,
  options: Options.Consume = { noAck: true },
): Promise<Consumed> {
  const consumed: Consumed = { messages: [], bodies: [], consumerTag: '', cancelled: false };
  const take = (message: Message | null) => {
    if (message === null) {
      consumed.cancelled = true;
      return;
    }
    consumed.messages.push(message);
    consumed.bodies.push(message.content.toString());
  };
  consumed.consumerTag = (await channel.consume(queue, take, options)).consumerTag;
  return consumed;
}

/** Gets a message that may still be on its way. */
export function getSoon(
  channel: Channel,
  queue: string,
  options: Options.Get = { noAck: true },
): Promise<GetMessage> {
  return eventually(() => channel.get(queue, options), `a message in ${queue}`);
}

/** Waits until a queue holds `count` ready messages. */
export async function untilReady(channel: Channel, queue: string, count: number): Promise<void> {
  await eventually(
    async () => (await channel.checkQueue(queue)).messageCount === count,
    `${count} ready messages in ${queue}`,
  );
}

/** Takes all ready messages without acks and gives their bodies. */
export async function drain(channel: Channel, queue: string): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) return bodies;
    bodies.push(message.content.toString());
  }
}

/** What a channel.close for an error looks like; `method` is the culprit. */
export function channelClose(replyCode: number, replyText: unknown, method?: string) {
  return close('channel.close', replyCode, replyText, method);
}

export function connectionClose(replyCode: number, replyText: unknown, method?: string) {
  return close('connection.close', replyCode, replyText, method);
}

function close(name: string, replyCode: number, replyText: unknown, method?: string) {
  const ids = method === undefined ? { classId: 0, methodId: 0 } : methodIds(method);
  return { name, channel: expectedChannel(name), replyCode, replyText, ...ids };
}

function expectedChannel(name: string): unknown {
  return name === 'connection.close' ? 0 : expect.any(Number);
}
