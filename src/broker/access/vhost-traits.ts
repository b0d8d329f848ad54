// Owns what is known of a vhost beside what is in it, and what may be set of that. Never makes one:
// broker.ts does.

import { Refusal } from '../errors.ts';
import type { VhostLimits } from './limits.ts';
import { checkDescription, checkNewName, checkTags } from './names.ts';

/** What can be set of a vhost. */
export interface VhostTraits {
  readonly description: string;
  readonly tags: readonly string[];
  /** The queue type of declarations that name none: `classic` or `quorum`; null: classic. */
  readonly defaultQueueType: string | null;
  readonly limits: VhostLimits;
  /** Whether what is published and delivered in it is traced. */
  readonly tracing: boolean;
}

/** A vhost as lists show it and as its row holds it. */
export interface VhostSnapshot extends VhostTraits {
  readonly name: string;
}

/** The types that a queue may have. */
const QUEUE_TYPES: readonly string[] = ['classic', 'quorum'];

/** Refuses names and traits that no vhost can have. */
export function checkVhostTraits(name: string, traits: Partial<VhostTraits>): void {
  checkNewName('vhost', name);
  const { defaultQueueType = null, tags = [], description = '' } = traits;
  checkTags(tags);
  checkDescription(description);
  if (defaultQueueType === null || QUEUE_TYPES.includes(defaultQueueType)) return;
  const wrong = `'${defaultQueueType}' cannot be the default queue type of a vhost`;
  throw new Refusal('invalid', `${wrong}: expected ${QUEUE_TYPES.join(' or ')}`);
}

/** What a vhost has of which nothing is said. */
export const NO_TRAITS: VhostTraits = {
  description: '',
  tags: [],
  defaultQueueType: null,
  limits: {},
  tracing: false,
};
