// Owns how a message looks.

import { bytes, h, moment, tag } from '../dom.js';

/** What the reasons of x-death mean. */
const REASONS = {
  rejected: 'a consumer rejected it',
  expired: 'it was there longer than its TTL',
  maxlen: 'the queue was full',
  delivery_limit: 'it came back more often than the delivery limit',
};

export function drawMessage(message) {
  const properties = Object.entries(message.properties ?? {});
  return h(
    'article',
    { class: 'message' },
    h(
      'div',
      { class: 'meta' },
      message.seq === undefined ? null : h('span', null, `#${message.seq}`),
      h('span', null, message.exchange === '' ? 'default exchange' : `from ${message.exchange}`),
      h('span', null, `key ${message.routing_key}`),
      h('span', null, bytes(message.payload_bytes)),
      message.arrived_at === undefined ? null : h('span', null, moment(message.arrived_at)),
      message.redelivered ? tag('redelivered', 'warn') : null,
      message.state === 'unacked' ? tag('unacked', 'warn') : null,
      message.payload_encoding === 'base64' ? tag('base64', 'grey') : null,
    ),
    deathOf(message),
    properties.length === 0
      ? null
      : h(
          'details',
          null,
          h('summary', null, `Properties: ${properties.map(([name]) => name).join(', ')}`),
          h('pre', null, JSON.stringify(message.properties, null, 1)),
        ),
    h(
      'pre',
      null,
      message.payload === '' ? '(empty)' : message.payload,
      message.truncated ? ' …' : '',
    ),
  );
}

/** Why and where a dead letter died, from what the broker wrote into its headers; null for any other message. */
function deathOf({ properties }) {
  const headers = properties?.headers ?? {};
  const deaths = Array.isArray(headers['x-death']) ? headers['x-death'] : [];
  const [last] = deaths;
  if (typeof last !== 'object' || last === null) return null;
  const { reason, queue, exchange, time, count } = last;
  const keys = Array.isArray(last['routing-keys']) ? last['routing-keys'].join(', ') : '';
  const before = deaths.slice(1).filter((each) => typeof each === 'object' && each !== null);
  const first = headers['x-first-death-queue'];
  return h(
    'div',
    { class: 'death' },
    tag('dead letter', 'warn'),
    ` Died in the queue "${queue}": ${REASONS[reason] ?? reason}`,
    typeof count === 'number' && count > 1 ? `, ${count} times` : '',
    typeof time === 'number' ? `, first at ${moment(time * 1000)}` : '',
    `. It had come from ${exchange === '' ? 'the default exchange' : `the exchange "${exchange}"`} with the key "${keys}".`,
    before.length === 0
      ? null
      : h(
          'div',
          { class: 'quiet small' },
          `Before that it died in ${before.map((each) => `"${each.queue}" (${each.reason})`).join(', ')}`,
          typeof first === 'string'
            ? `; first of all in "${first}" (${headers['x-first-death-reason']}), from the exchange "${headers['x-first-death-exchange']}".`
            : '.',
        ),
  );
}
