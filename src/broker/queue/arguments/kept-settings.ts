// Owns the rows of what is taken for the sake of clients and files alone: it has no effect on one node that keeps all on
// disk. Never one that has an effect.

import { count, oneOf, oneOrTwo, positive, text } from './argument-values.ts';
import { anIntegerFrom, anyOf, anything, OPERATOR } from './policy-values.ts';
import { CLASSICS, NO_EFFECT, QUORUMS, row, rowForAll, STREAMS } from './queue-setting.ts';

const MODES = ['default', 'lazy'];
const LEADER_LOCATORS = ['client-local', 'balanced', 'random', 'least-leaders'];
const IN_MEMORY = 'is not a valid maximum memory in bytes';
const MIRRORED = { operator: true, onlyFor: ['classic'] } as const;

export const KEPT_SETTINGS = [
  // How long a node may be out of reach: there is one.
  row(
    'consumer-disconnected-timeout',
    count,
    anIntegerFrom(0, 'is not a valid consumer disconnected timeout', QUORUMS),
    NO_EFFECT,
  ),
  row(
    'queue-mode',
    oneOf(MODES, (word) => `"unsupported queue mode '${word}'"`),
    anyOf(MODES, 'is not a valid queue-mode value', CLASSICS),
    NO_EFFECT,
  ),
  row(
    'queue-version',
    oneOrTwo((value) => `"unsupported queue version '${value}'"`),
    anyOf([1, 2], 'is not a valid queue-version value', OPERATOR),
    NO_EFFECT,
  ),
  row(
    'queue-master-locator',
    text,
    anyOf(
      ['client-local', 'min-masters', 'random'],
      'invalid queue-master-locator value',
      MIRRORED,
    ),
    NO_EFFECT,
  ),
  rowForAll(
    'queue-leader-locator',
    oneOf(LEADER_LOCATORS, () => 'invalid_queue_locator_arg'),
    anyOf(LEADER_LOCATORS, 'is not a valid queue leader locator value', {
      onlyFor: ['quorum', 'stream'],
    }),
    NO_EFFECT,
  ),
  row('quorum-initial-group-size', positive, null, NO_EFFECT),
  rowForAll(
    'initial-cluster-size',
    positive,
    anIntegerFrom(0, 'is not a valid cluster size', STREAMS),
    NO_EFFECT,
  ),
  row('max-in-memory-length', count, anIntegerFrom(0, IN_MEMORY, OPERATOR), NO_EFFECT),
  row('max-in-memory-bytes', count, anIntegerFrom(0, IN_MEMORY, OPERATOR), NO_EFFECT),
  row(
    'target-group-size',
    null,
    anIntegerFrom(1, 'is not a valid qq target count value', { ...OPERATOR, ...QUORUMS }),
    NO_EFFECT,
  ),
  row(
    'ha-mode',
    null,
    anyOf(['all', 'exactly', 'nodes'], 'is not a valid ha-mode value', MIRRORED),
    NO_EFFECT,
  ),
  row('ha-params', null, anything(MIRRORED), NO_EFFECT),
  row(
    'ha-sync-mode',
    null,
    anyOf(['automatic', 'manual'], 'is not a valid ha-sync-mode value', MIRRORED),
    NO_EFFECT,
  ),
  row('ha-sync-batch-size', null, anything(CLASSICS), NO_EFFECT),
  row('ha-promote-on-shutdown', null, anything(CLASSICS), NO_EFFECT),
  row('ha-promote-on-failure', null, anything(CLASSICS), NO_EFFECT),
] as const;
