// The schedules of the crash test: what each says that it has published, and what its queue has. Never judges.
import { connect } from 'amqplib';
import { askApi } from './api.mjs';
import { now } from './client.mjs';
import { LOGIN, SCHEDULES, TICKS } from './topology.mjs';

const US_PER_MS = 1_000;
/** The first tick comes a period after a schedule was set; a start may round. */
const SPARE = 2;

/**
 * Nothing is consumed from the queue, so it has each tick that was ever published. They are compared while no tick comes
 * in between. `most`: there can be no more by now.
 * @param {import('./broker.mjs').Broker} broker
 * @returns {Promise<{ published: number, found: number, most: number }>}
 */
export async function lookAtTicks(broker) {
  const model = await connect(broker.url);
  model.on('error', () => {});
  const channel = await model.createChannel();
  try {
    for (let published = await askPublished(broker); ; ) {
      const { messageCount: found } = await channel.checkQueue(TICKS);
      const again = await askPublished(broker);
      if (again === published) return { published, found, most: mostUntilNow(broker) };
      published = again;
    }
  } finally {
    model.connection.stream.destroy(new Error('done'));
  }
}

function mostUntilNow({ spawns }) {
  const ms = (now() - spawns[0]) / US_PER_MS;
  return SCHEDULES.reduce((sum, { every }) => sum + Math.floor(ms / every) + SPARE, 0);
}

async function askPublished(broker) {
  const schedules = await askApi(broker, `/api/schedules/${LOGIN.vhost}`);
  if (schedules.length !== SCHEDULES.length) throw new Error(`${schedules.length} schedules`);
  return schedules.reduce((sum, { published }) => sum + published, 0);
}
