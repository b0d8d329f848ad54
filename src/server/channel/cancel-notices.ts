// Owns telling a client of consumers that the broker ended (basic.cancel), and in which order with other answers.
// Never ends a consumer.

import type { MethodFields, MethodName } from '../../amqp/spec.ts';
import { finish, type Steps } from '../../broker/turn/slices.ts';
import { CHANNEL_OPEN_STATE } from '../states.ts';

/** Notices between two moments at which others may have their turn. */
const NOTICES_PER_STEP = 64;

/** What notices need of their channel. */
export interface NoticedChannel {
  readonly state: number;
  /** Whether the peer wants to be told. */
  readonly connection: { readonly wantsCancelNotice: boolean };
  send<N extends MethodName>(name: N, fields: MethodFields<N>): void;
  /** Does a long act in slices. */
  act(steps: Steps): void;
}

/** The notices of one channel. */
export class CancelNotices {
  private readonly channel: NoticedChannel;
  /** The tags of consumers that were ended while an answer that comes first is not sent yet. */
  private held: string[] | null = null;

  constructor(channel: NoticedChannel) {
    this.channel = channel;
  }

  /** A consumer was ended: the client is told, or will be by `release`. */
  ended(tag: string): void {
    const { channel } = this;
    if (channel.state !== CHANNEL_OPEN_STATE || !channel.connection.wantsCancelNotice) return;
    if (this.held !== null) this.held.push(tag);
    else channel.send('basic.cancel', { consumerTag: tag, noWait: true });
  }

  /** Keeps notices until `release`: they follow the answer to what ends the consumers. */
  hold(): void {
    this.held ??= [];
  }

  /** Sends what was kept. */
  release(): void {
    const tags = this.held ?? [];
    this.held = null;
    const steps = this.sending(tags);
    if (tags.length <= NOTICES_PER_STEP) finish(steps);
    else this.channel.act(steps);
  }

  private *sending(tags: readonly string[]): Steps {
    for (const [at, consumerTag] of tags.entries()) {
      if (this.channel.state !== CHANNEL_OPEN_STATE) return;
      this.channel.send('basic.cancel', { consumerTag, noWait: true });
      if (at % NOTICES_PER_STEP === NOTICES_PER_STEP - 1) yield;
    }
  }
}
