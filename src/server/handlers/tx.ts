// Owns the methods of class tx. Never applies what a transaction holds: the channel does.

import { TX_COMMIT } from '../../amqp/constants.ts';
import { AmqpError } from '../../amqp/errors.ts';
import type { Method } from '../../amqp/spec.ts';
import { assertNever } from '../../util/assert.ts';
import type { Channel } from '../channel.ts';
import type { Connection } from '../connection.ts';
import { CHANNEL_OPEN_STATE } from '../connection-state.ts';
import type { Transaction } from '../transaction.ts';

type TxMethod = Method<'tx.select' | 'tx.commit' | 'tx.rollback'>;

/** Handles a method of class tx. */
export function handleTxMethod(connection: Connection, channel: Channel, method: TxMethod): void {
  switch (method.name) {
    case 'tx.select':
      channel.selectTransactions(connection.server.settings.maxTransactionBytes);
      return channel.send('tx.select-ok', {});
    case 'tx.commit':
      return connection.whenAllowed(channel.number, TX_COMMIT, () => commit(connection, channel));
    case 'tx.rollback':
      transactionOf(channel).clear();
      return channel.send('tx.rollback-ok', {});
    default:
      return assertNever(method, 'a method of class tx');
  }
}

/**
 * Everything is applied before the turn can end, so that one batch holds it; the answer waits for
 * that batch, and so does all that the peer sends in the meantime.
 */
function commit(connection: Connection, channel: Channel): void {
  const { broker } = connection;
  const transaction = transactionOf(channel);
  if (!channel.commit(transaction)) {
    channel.send('tx.commit-ok', {});
    return;
  }
  connection.hold(broker.awaitBatch(), channel.number, TX_COMMIT, () => {
    if (channel.state === CHANNEL_OPEN_STATE) channel.send('tx.commit-ok', {});
  });
}

function transactionOf(channel: Channel): Transaction {
  if (channel.transaction !== null) return channel.transaction;
  throw new AmqpError('PRECONDITION_FAILED', 'channel is not transactional');
}
