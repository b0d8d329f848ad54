// Owns what a program sees of a queue of its broker without a client: depths, messages, and waiting for them. Never
// changes anything in the queue.

import type { AnyQueue } from '../broker/queue/types/create-queue.ts';
import { WHOLE_STREAM, walkOver } from '../broker/view/browse/browse.ts';
import type { MessageWalk } from '../broker/view/browse/walk.ts';
import { viewMessage } from '../broker/view/message-json.ts';
import type { Server } from '../server/server.ts';
import type { JsonObject } from '../util/json/json.ts';
import { checkDepth, checkMessages, checkQueueOptions, checkWait } from './check-options.ts';
import { requireQueue } from './names.ts';
import type {
  BrokerMessage,
  BrokerQueue,
  DepthMatch,
  MessagesOptions,
  QueueOptions,
  WaitOptions,
} from './options.ts';
import { untilHolds } from './turns.ts';

const MESSAGES_MAX = 1000;
const WAIT_MS = 5000;

/** One queue of one broker, by its name: it may be deleted and declared anew meanwhile. */
export class EmbeddedQueue implements BrokerQueue {
  readonly name: string;
  readonly vhost: string;
  private readonly server: Server;
  private readonly isClosed: () => boolean;

  constructor(server: Server, isClosed: () => boolean, name: string, options: QueueOptions = {}) {
    checkQueueOptions(name, options);
    this.name = name;
    this.vhost = options.vhost ?? '/';
    this.server = server;
    this.isClosed = isClosed;
    this.there();
  }

  get ready(): number {
    return this.there().readyCount;
  }

  get unacked(): number {
    return this.there().unackedCount;
  }

  get delayed(): number {
    return this.there().delayedCount;
  }

  get depth(): number {
    const { readyCount, unackedCount } = this.there();
    return readyCount + unackedCount;
  }

  get consumers(): number {
    return this.there().consumers.length;
  }

  messages(options: MessagesOptions = {}): readonly BrokerMessage[] {
    checkMessages(options);
    return this.upTo(options.limit ?? MESSAGES_MAX);
  }

  async waitForDepth(depth: number | DepthMatch, options: WaitOptions = {}): Promise<void> {
    checkDepth(depth);
    const wanted = typeof depth === 'number' ? { depth } : depth;
    const names = ['depth', 'ready', 'unacked'] as const;
    const holds = (): boolean =>
      names.every((name) => wanted[name] === undefined || this[name] === wanted[name]);
    await this.until('waitForDepth', holds, JSON.stringify(wanted), options);
  }

  async waitForMessage(
    wanted: (message: BrokerMessage) => boolean = () => true,
    options: WaitOptions = {},
  ): Promise<BrokerMessage> {
    if (typeof wanted !== 'function') {
      throw new TypeError(
        'waitForMessage: expected a function that says whether a message is meant',
      );
    }
    let found: BrokerMessage | undefined;
    const holds = (): boolean => {
      found = this.upTo(Number.POSITIVE_INFINITY).find(wanted);
      return found !== undefined;
    };
    await this.until('waitForMessage', holds, 'such a message', options);
    return found as BrokerMessage;
  }

  /** The queue as it is now, all that can be delivered being delivered. */
  private there(): AnyQueue {
    if (this.isClosed()) throw new Error(`queue '${this.name}': the broker is closed`);
    const queue = requireQueue(this.server.broker, 'queue', this.name, this.vhost);
    queue.catchUp();
    return queue;
  }

  private upTo(limit: number): BrokerMessage[] {
    this.there();
    const { core, vhosts } = this.server.broker;
    const queue = vhosts.get(this.vhost)?.queues.get(this.name);
    const found: BrokerMessage[] = [];
    let cursor: string | null = '';
    while (queue !== undefined && cursor !== null && found.length < limit) {
      const walk: MessageWalk = walkOver(queue, core.log, core.clock, cursor, WHOLE_STREAM);
      walk.run((entry, message) => {
        const { properties } = viewMessage(message, false, 'base64', 0);
        found.push({
          body: Buffer.from(message.body),
          exchange: message.exchange,
          routingKey: message.routingKey,
          properties: inCamelCase(properties),
          state: entry.ready ? 'ready' : 'unacked',
        });
        return found.length < limit;
      });
      cursor = walk.cursor;
    }
    return found;
  }

  private async until(
    call: string,
    holds: () => boolean,
    wanted: string,
    options: WaitOptions,
  ): Promise<void> {
    checkWait(call, options);
    const { timeoutMs = WAIT_MS } = options;
    if (await untilHolds(holds, timeoutMs)) return;
    const { name, ready, unacked } = this;
    throw new Error(
      `${call}: queue '${name}' has ${ready} ready and ${unacked} unacked messages after ` +
        `${timeoutMs} ms, and not ${wanted}`,
    );
  }
}

/** Names of properties as JavaScript clients have them: `messageId`. The names of headers stay. */
function inCamelCase(properties: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(properties).map(([name, value]) => [
      name.replaceAll(/_(.)/g, (_all, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
}
