// Owns how a message looks.

import { bytes, h, moment, tag } from '../dom.js';

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
