// Owns the methods of class tx. Never applies what a transaction holds: the channel does.

import { TX_COMMIT } from '../../amqp/constants.ts';
import { AmqpError } from '../../amqp/errors.ts';
import type { Method } from '../../amqp/spec.ts';
import { assertNever } from '../../util/assert.ts';
import type { Channel } from '../channel/channel.ts';
import type { CommitOutcome, Transaction } from '../channel/publish/transaction.ts';
import { CHANNEL_OPEN_STATE } from '../states.ts';
import type { MethodConnection } from './method-connection.ts';

type TxMethod = Method<'tx.select' | 'tx.commit' | 'tx.rollback'>;

/** Handles a method of class tx. */
export function handleTxMethod(
  connection: MethodConnection,
  channel: Channel,
  method: TxMethod,
): void {
  switch (method.name) {
    case 'tx.select':
      channel.selectTransactions(connection.server.settings.maxTransactionBytes);
      return channel.send('tx.select-ok', {});
    case 'tx.commit':
      return connection.waits.forSpace(channel.number, TX_COMMIT, () =>
        commit(connection, channel),
      );
    case 'tx.rollback':
      transactionOf(channel).clear();
      return channel.send('tx.rollback-ok', {});
    default:
      return assertNever(method, 'a method of class tx');
  }
}

/**
 * No batch is sealed until everything is applied, so that one batch holds it; the answer waits for
 * that batch, and so does all that the peer sends in the meantime.
 */
function commit(connection: MethodConnection, channel: Channel): void {
  const outcome = { stored: false, refused: false };
  const steps = channel.committing(transactionOf(channel), outcome);
  const then = (): void => answer(connection, channel, outcome);
  connection.acts.act(steps, channel.number, TX_COMMIT, then, true);
}

/** Throws PRECONDITION_FAILED, with all else applied, when a queue was too full. */
function answer(connection: MethodConnection, channel: Channel, outcome: CommitOutcome): void {
  if (outcome.refused) throw new AmqpError('PRECONDITION_FAILED', 'partial tx completion');
  if (!outcome.stored) {
    channel.send('tx.commit-ok', {});
    return;
  }
  connection.waits.forDisk(connection.core.awaitBatch(), channel.number, TX_COMMIT, () => {
    if (channel.state === CHANNEL_OPEN_STATE) channel.send('tx.commit-ok', {});
  });
}

function transactionOf(channel: Channel): Transaction {
  if (channel.transaction !== null) return channel.transaction;
  throw new AmqpError('PRECONDITION_FAILED', 'channel is not transactional');
}
