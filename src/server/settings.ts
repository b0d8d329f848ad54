// Owns the settings that a server goes by. Never reads them from anywhere: config/ does.

import type { FlowSettings } from '../broker/queue/flow-quota.ts';
import type { PeerWatchSettings } from './backpressure/peer-watches.ts';
import type { ResourceSettings } from './backpressure/resource-monitor.ts';
import type { PublishLimits } from './channel/publish/publisher.ts';
import type { ListenerSettings } from './listen/listener.ts';
import type { MethodSettings } from './methods/method-connection.ts';

/** The settings that the server looks at; see config/settings.ts for their meaning. */
export interface ServerSettings
  extends ListenerSettings,
    MethodSettings,
    ResourceSettings,
    FlowSettings,
    PeerWatchSettings,
    PublishLimits {
  readonly initialFrameMaxBytes: number;
  readonly handshakeTimeoutMs: number;
  readonly unackedMaxPerChannel: number;
  readonly consumerTimeoutMs: number;
  readonly consumerTimeoutAction: 'close_channel' | 'cancel' | 'requeue';
  readonly connectionMax: number;
  readonly channelMaxPerNode: number;
  readonly outboxHighWatermarkBytes: number;
  readonly nodeName: string;
  readonly clusterName: string | null;
  readonly defaultQueueType: 'classic' | 'quorum' | 'stream';
}
