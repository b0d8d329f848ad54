// A worker of sign-up.mjs, which starts it. Bills a registration, tries again when that fails, and
// acks only once the outcome is safe in another queue.
import { connect } from 'amqplib';

const RETRIES = 3;
const FAILING_PERCENT = 30;

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const channel = await connection.createConfirmChannel();
// At most ten unacked: a killed worker holds up no more than these.
await channel.prefetch(10);

await channel.consume('signup.registrations', async (message) => {
  const { id } = JSON.parse(message.content.toString());
  const { attempts } = message.properties.headers;
  if (await bill(id, attempts)) {
    await publish('signup.done', message.content, attempts);
    channel.ack(message);
  } else if (attempts < RETRIES) {
    await publish('signup.registrations', message.content, attempts + 1);
    channel.ack(message);
  } else {
    channel.nack(message, false, false);
  }
});

/** First the confirm of the new message, then the ack of the old one: never neither. */
function publish(queue, content, attempts) {
  const options = { persistent: true, contentType: 'application/json', headers: { attempts } };
  return new Promise((resolve, reject) => {
    channel.sendToQueue(queue, content, options, (error) => (error ? reject(error) : resolve()));
  });
}

/** Fails for three attempts in ten, always for the same ones, so that each run tells one story. */
async function bill(id, attempt) {
  await new Promise((resolve) => setTimeout(resolve, 5));
  let hash = Math.imul(id * 31 + attempt + 7, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) % 100 >= FAILING_PERCENT;
}
