// Owns a histogram of times, as bars. Never asks the broker for it.

import { count, h, span } from '../dom.js';

/** A histogram of times, as bars. */
export function histogram(title, latency) {
  let before = 0;
  const all = latency.buckets.map(({ le_ms: bound, count: sum }) => {
    const own = sum - before;
    before = sum;
    return { bound, own, sum };
  });
  const some = all.map(({ own }) => own > 0);
  // Buckets between the first and the last are shown even if they are empty: gaps tell something.
  const rows = all.slice(Math.max(0, some.indexOf(true)), some.lastIndexOf(true) + 1);
  const most = Math.max(1, ...rows.map(({ own }) => own));
  return h(
    'section',
    { class: 'card' },
    h('h2', null, title),
    latency.count === 0
      ? h('p', { class: 'quiet' }, 'Nothing has been timed yet.')
      : [
          h(
            'p',
            { class: 'quiet small' },
            `${within(all, latency.count)}, mean ${span(latency.sum_ms / latency.count)}, ${count(latency.count)} timed`,
          ),
          h(
            'div',
            { class: 'bars' },
            rows.map(({ bound, own }) =>
              h(
                'div',
                null,
                h('span', null, bound === null ? 'longer' : `≤ ${span(bound)}`),
                h('progress', { max: most, value: own, 'aria-label': `${own}` }),
                h('span', null, count(own)),
              ),
            ),
          ),
        ],
  );
}

/** Within which times half and nearly all are, as exactly as the buckets tell. */
function within(buckets, all) {
  const bound = (share) => {
    const found = buckets.find(({ sum }) => sum >= all * share)?.bound ?? null;
    return found === null ? 'longer' : `≤ ${span(found)}`;
  };
  return `half ${bound(0.5)}, 99 % ${bound(0.99)}`;
}
