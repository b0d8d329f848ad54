// Owns what classic queues are: the type of a queue whose declaration names none. Never acts on it: the files that
// ask do.

import type { QueueType } from './queue-type.ts';

export const CLASSIC = {
  name: 'classic',
  applyTo: 'classic_queues',
  about: 'A classic queue may live as long as its connection or its consumers.',
  priorityMax: 0,
  priorityDefault: 0,
  countsFirstGet: false,
  getBesideSingleActive: true,
  exclusiveConsumers: true,
  hasMembers: false,
  deliversAgain: true,
  serverNamed: true,
  wrongProperty: () => null,
} as const satisfies QueueType;
