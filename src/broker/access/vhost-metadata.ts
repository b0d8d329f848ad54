// Owns what is known of a vhost beside what is in it, and what may be set of that. Never makes one:
// broker.ts does.

import { Refusal } from '../errors.ts';
import { QUEUE_TYPES } from '../queue/types/registry.ts';
import type { VhostPlace } from '../vhost-place.ts';
import type { VhostLimits } from './limits.ts';
import { checkDescription, checkNewName, checkTags } from './names.ts';

/** What can be set of a vhost. */
export interface VhostMetadata {
  readonly description: string;
  readonly tags: readonly string[];
  /** The queue type of declarations that name none: a name of queue/types; null: the default one. */
  readonly defaultQueueType: string | null;
  readonly limits: VhostLimits;
  /** Whether what is published and delivered in it is traced. */
  readonly tracing: boolean;
  /** In which group of a cluster it is; left out: where all are of which nothing is said. */
  readonly place?: VhostPlace | undefined;
  /** By which move its contents came into this group; left out: by none. It is said by each group for itself. */
  readonly arrived?: string | undefined;
}

/** A vhost as lists show it and as its row holds it. */
export interface VhostSnapshot extends VhostMetadata {
  readonly name: string;
}

/** Refuses names and metadata that no vhost can have. */
export function checkVhostMetadata(name: string, metadata: Partial<VhostMetadata>): void {
  checkNewName('vhost', name);
  const { defaultQueueType = null, tags = [], description = '' } = metadata;
  checkTags(tags);
  checkDescription(description);
  if (defaultQueueType === null || QUEUE_TYPES.has(defaultQueueType)) return;
  const wrong = `'${defaultQueueType}' cannot be the default queue type of a vhost`;
  throw new Refusal('invalid', `${wrong}: expected ${[...QUEUE_TYPES.keys()].join(' or ')}`);
}

/** What a vhost has of which nothing is said. */
export const NO_METADATA: VhostMetadata = {
  description: '',
  tags: [],
  defaultQueueType: null,
  limits: {},
  tracing: false,
};
