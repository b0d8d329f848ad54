// Owns the lines of the log about what is set aside. Never sets anything aside, and never writes more lines
// than an operator can read.

import type { Logger } from 'pino';
import type { BrokerCore } from '../../broker/core/core.ts';
import type { SetAsideDefinition } from '../../broker/set-aside/set-aside-definitions.ts';
import type { SetAsideMessage } from '../../broker/set-aside/set-aside-rows.ts';
import type { Clock } from '../../util/clock.ts';

/** So many lines in so much time; what comes beyond that is counted in the next line. */
const LINES_MAX = 10;
const PERIOD_MS = 60_000;

/** Writes what is set aside into the log, a few lines a minute at most. */
export class SetAsideLog {
  private readonly log: Logger;
  private readonly clock: Clock;
  private beganMs = Number.NEGATIVE_INFINITY;
  private lines = 0;
  private unwritten = 0;

  constructor(log: Logger, clock: Clock) {
    this.log = log;
    this.clock = clock;
  }

  /** Writes all that a broker sets aside from now on. */
  follow({ setAside, setAsideRows }: BrokerCore): void {
    setAside.listener = (message, error) => this.message(message, error);
    setAsideRows.listener = (row, error) => this.definition(row, error);
  }

  /** What is set aside once a start is done, if anything is. */
  started({ setAside, setAsideRows }: BrokerCore): void {
    const { count: messages } = setAside;
    const { count: definitions } = setAsideRows;
    if (messages === 0 && definitions === 0) return;
    const text = 'something is set aside, and not served: see `leveret list set-aside`';
    this.log.error({ messages, definitions }, text);
  }

  /** A row could not be read at the start. */
  private definition({ id, kind, vhost, name }: SetAsideDefinition, cause: unknown): void {
    this.log.error(
      { id, kind, vhost, name, err: cause },
      `a ${kind} could not be read and is set aside: see \`leveret list set-aside\``,
    );
  }

  /** A message was set aside, because of `error`. */
  private message(
    { id, vhost, queue, seq, position, doing, error }: SetAsideMessage,
    cause: unknown,
  ): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.beganMs >= PERIOD_MS) {
      this.beganMs = nowMs;
      this.lines = 0;
    }
    if (this.lines === LINES_MAX) {
      this.unwritten += 1;
      return;
    }
    this.lines += 1;
    const unwritten = this.unwritten === 0 ? {} : { setAsideWithoutALine: this.unwritten };
    this.unwritten = 0;
    this.log.error(
      { id, vhost, queue, seq, position, doing, error, err: cause, ...unwritten },
      'a message could not be looked at and is set aside: see `leveret list set-aside`',
    );
  }
}
