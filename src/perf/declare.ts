// Owns declaring what a load test needs at its brokers. Never publishes or consumes.

import type { UserError } from '../util/user-error.ts';
import { type Address, LostConnection, PerfConnection, type Receiver } from './connection.ts';
import type { PerfPlan } from './plan.ts';

const NO_RECEIVER: Receiver = {
  delivered: () => {},
  confirmed: () => {},
  returned: () => {},
  chunkEnded: () => {},
  drained: () => {},
  failed: () => {},
};

/**
 * Declares at each broker: several addresses may be those of one. A host that cannot be reached is left out, so long as
 * another can; `onNote` is told.
 */
export async function declareAll(
  plan: PerfPlan,
  addresses: readonly Address[],
  onNote: (text: string) => void,
): Promise<void> {
  const lost: LostConnection[] = [];
  for (const address of addresses) {
    try {
      await declareAt(plan, address, addresses.length > 1);
    } catch (error) {
      if (!(error instanceof LostConnection)) throw error;
      lost.push(error);
    }
  }
  if (lost.length === addresses.length) throw lost[0];
  for (const { message } of lost) onNote(`${message} The test goes on with the other hosts.`);
}

async function declareAt(plan: PerfPlan, address: Address, watched: boolean): Promise<void> {
  let failure: UserError | null = null;
  const receiver = {
    ...NO_RECEIVER,
    failed: (error: UserError) => {
      failure = error;
    },
  };
  const connection = await PerfConnection.open(address, receiver, watched);
  try {
    await declare(plan, plan.queues, connection);
  } catch (error) {
    throw failure ?? error;
  } finally {
    await connection.close();
  }
}

/** Declares some queues of the test, with its exchange and their bindings. Rejects with a UserError. */
export async function declare(
  plan: PerfPlan,
  queues: readonly string[],
  connection: PerfConnection,
): Promise<void> {
  if (plan.exchange !== '' && !plan.predeclared) {
    const exchange = {
      exchange: plan.exchange,
      type: plan.exchangeType,
      passive: false,
      durable: plan.durable,
      autoDelete: false,
      internal: false,
      noWait: false,
      arguments: new Map(),
    };
    await connection.ask('exchange.declare', exchange, 'exchange.declare-ok');
  }
  for (const queue of queues) {
    const declared = {
      queue,
      passive: plan.predeclared,
      durable: plan.durable,
      exclusive: false,
      autoDelete: false,
      noWait: false,
      arguments: plan.queueArguments,
    };
    await connection.ask('queue.declare', declared, 'queue.declare-ok');
    if (plan.exchange === '' || plan.predeclared) continue;
    const bound = {
      queue,
      exchange: plan.exchange,
      routingKey: plan.routingKey ?? queue,
      noWait: false,
      arguments: new Map(),
    };
    await connection.ask('queue.bind', bound, 'queue.bind-ok');
  }
}
