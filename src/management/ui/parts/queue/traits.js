// Owns the words in boxes that say what kind of queue a row is. Never more than the row tells.

import { h, tag } from '../../dom.js';

/** What the arguments that matter most are called in short. */
const ARGUMENTS = {
  'x-dead-letter-exchange': 'dead-letters',
  'x-dead-letter-routing-key': 'dead-letters',
  'x-message-ttl': 'ttl',
  'x-expires': 'expires',
  'x-max-length': 'limit',
  'x-max-length-bytes': 'limit',
  'x-max-age': 'limit',
  'x-max-priority': 'priorities',
  'x-single-active-consumer': 'single active',
  'x-delivery-limit': 'delivery limit',
  'x-deliver-after-commit': 'after commit',
};

/** What a queue is, in a few words. */
export function traits(row) {
  return [
    row.state === 'paused' ? tag('paused', 'warn') : null,
    row.state === 'set_aside' ? tag('set aside', 'bad') : null,
    row.durable ? null : tag('transient', 'grey'),
    row.auto_delete ? tag('auto-delete', 'grey') : null,
    row.exclusive ? tag('exclusive', 'grey') : null,
    row.type === 'quorum' || row.type === 'stream' ? tag(row.type, 'grey') : null,
    row.policy ? tag(row.policy) : null,
    argumentTags(row.arguments ?? {}),
  ];
}

function argumentTags(given) {
  const title = JSON.stringify(given, null, 1);
  const names = Object.keys(given).filter((name) => name !== 'x-queue-type');
  const texts = new Set(names.map((name) => ARGUMENTS[name] ?? 'args'));
  return [...texts].map((text) => h('span', { class: 'tag grey', title }, text));
}
