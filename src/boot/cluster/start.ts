// Owns the way from settings to a node of a cluster: which log it is of, and how that is reached. Never plays a role in it.

import type { Logger } from 'pino';
import { peerKey } from '../../cluster/peers/peer-key.ts';
import type { LiveSettings } from '../../config/live/live-settings.ts';
import type { Settings } from '../../config/settings.ts';
import { MAIN_GROUP } from '../../util/system/main-group.ts';
import type { RunningBroker } from '../serve.ts';
import { startMember } from './member.ts';

/** Starts a node of the cluster that the settings name. Rejects with a StoreError. */
export async function startClustered(live: LiveSettings, logger: Logger): Promise<RunningBroker> {
  const { settings } = live;
  const client = await openLog(settings);
  for (const warning of client.warnings) logger.warn(warning);
  const { clusterSecret } = settings;
  const key = await peerKey(clusterSecret ?? client.secret);
  return startMember(live, client, key, logger);
}

/** Opens the log of the cluster that the settings name. Rejects with a StoreError. */
export async function openLog(settings: Settings) {
  // Only a node of a cluster pays for the client of its log.
  const { openNatsLog } = await import('../../store/replicated/nats/open.ts');
  return openNatsLog(natsPlace(settings));
}

function natsPlace(settings: Settings) {
  const ca = settings.clusterNatsTlsCa;
  const cert = settings.clusterNatsTlsCert;
  const key = settings.clusterNatsTlsKey;
  return {
    servers: settings.clusterNatsServers,
    login: {
      credentials: settings.clusterNatsCredentials,
      user: settings.clusterNatsUser,
      password: settings.clusterNatsPassword,
      token: settings.clusterNatsToken,
    },
    tls: ca === null && cert === null ? null : { ca, cert, key },
    // The loader refuses settings of a cluster without these.
    cluster: settings.clusterName as string,
    group: settings.clusterGroup,
    secretOf: MAIN_GROUP,
    node: settings.clusterNode as string,
    replicas: settings.clusterReplicas,
    logBytesMax: settings.clusterLogBytesMax,
    monitor: settings.clusterNatsMonitor,
    requireSync: settings.clusterRequireSync,
  };
}
