// A worker as many programs have one: what fails is tried again after half a minute, three times in all.
// The tests beside it show how to test such a thing without waiting.

export const RETRY_MS = 30_000;
const ATTEMPTS_MAX = 3;

/** Declares the queues, and works off `jobs` with `handle`. */
export async function startWorker(connection, handle) {
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue('jobs', deadLetters('jobs.retry'));
  await channel.assertQueue('jobs.retry', { ...deadLetters('jobs'), messageTtl: RETRY_MS });
  await channel.assertQueue('jobs.failed');
  await channel.prefetch(10);
  await channel.consume('jobs', async (message) => {
    if (message === null) return;
    try {
      await handle(message.content.toString(), message.properties.messageId);
      channel.ack(message);
    } catch {
      if (attemptsOf(message) < ATTEMPTS_MAX) channel.nack(message, false, false);
      else await giveUp(channel, message);
    }
  });
  return channel;
}

/** Sends a job, and resolves once the broker has it; a refused one is sent again. */
export async function sendJob(channel, id, text) {
  for (;;) {
    try {
      const properties = { persistent: true, messageId: id };
      await new Promise((resolve, reject) => {
        channel.sendToQueue('jobs', Buffer.from(text), properties, (error) =>
          error ? reject(error) : resolve(),
        );
      });
      return;
    } catch {
      // Nacked: the broker did not take it.
    }
  }
}

async function giveUp(channel, message) {
  const { messageId } = message.properties;
  channel.sendToQueue('jobs.failed', message.content, { persistent: true, messageId });
  await channel.waitForConfirms();
  channel.ack(message);
}

/** The first is 1; each dead-lettering from `jobs` was one before. */
function attemptsOf(message) {
  const deaths = message.properties.headers?.['x-death'] ?? [];
  const rejected = deaths.find(({ queue, reason }) => queue === 'jobs' && reason === 'rejected');
  return 1 + Number(rejected?.count ?? 0);
}

function deadLetters(deadLetterRoutingKey) {
  return { durable: true, deadLetterExchange: '', deadLetterRoutingKey };
}
