// Owns brokers for tests in which something is set aside: messages of a queue, and a queue as a whole. Never
// checks anything.

import type { Settings } from '../../src/config/settings.ts';
import type { Server } from '../../src/server/server.ts';
import { rowKey } from '../../src/store/row.ts';
import { TABLE_DEFINITIONS } from '../../src/store/tables.ts';
import { systemClock } from '../../src/util/clock.ts';
import { type Api, startApi } from './support.ts';

/** A broker whose tests reach what is behind the API. */
export interface AsideStage {
  readonly api: Api;
  readonly server: Server;
}

export async function startAside(changes: Partial<Settings> = {}): Promise<AsideStage> {
  let server: Server | null = null;
  const prepare = (made: Server): void => {
    server = made;
  };
  const api = await startApi(changes, { clock: systemClock, access: {}, prepare });
  return { api, server: server as unknown as Server };
}

/** Publishes messages to a queue and sets each aside as a delivery that failed with that error. */
export async function setMessagesAside(
  { api, server }: AsideStage,
  name: string,
  payloads: readonly string[],
  error: string,
): Promise<void> {
  for (const payload of payloads) {
    await api.call('POST', '/exchanges/%2F/amq.default/publish', {
      routing_key: name,
      payload,
      payload_encoding: 'string',
      properties: {},
    });
    const queue = server.broker.vhost('/').queues.get(name);
    if (queue === undefined || queue.isStream) throw new Error(`no queue ${name}`);
    const entry = queue.take();
    if (entry === null) throw new Error(`no message in ${name}`);
    queue.endings.setAside(entry.seq, 'delivery', new Error(error));
  }
}

/** Sets a queue aside as a start would that cannot read its rows. */
export function setQueueAside({ server }: AsideStage, name: string, error: string): void {
  const { broker } = server;
  broker.core.setAsideRows.add(TABLE_DEFINITIONS, rowKey('q', '/', name), new Error(error));
  broker.vhost('/').standIn(name, error);
}
