// Owns what stands above every page: that the broker does not answer and since when, and its alarms. Never draws a
// page, and never asks for what a page shows.

import { ApiError, get, loggedIn } from '../api.js';
import { bytes, h, messageOf, place } from '../dom.js';
import { update } from '../morph.js';

/** How often the broker is asked, ms. */
const ASK_MS = 2000;

/** What acts on the broker: it does nothing while there is no answer. */
const LIVE = 'main button, main input, main select, main textarea, dialog button[type="submit"]';

/** @typedef {{ resource: string, used?: number, free?: number, limit?: number }} Alarm */

/**
 * Why there is no answer; null: there is one.
 * @type {string | null}
 */
let why = null;
/** When the broker answered last. */
let answered = new Date();
/** @type {Alarm[]} */
let alarms = [];

/** Whether the broker has stopped to answer. */
export function isLost() {
  return why !== null;
}

/**
 * Asks the broker again and again whether it is there, while the page is seen. `onBack` is called when it answers
 * after it did not.
 * @param {() => unknown} onBack
 */
export function watchBroker(onBack) {
  let asking = false;
  const look = async () => {
    if (asking || document.hidden) return;
    asking = true;
    await ask(onBack).finally(() => {
      asking = false;
    });
  };
  setInterval(look, ASK_MS);
  document.addEventListener('visibilitychange', look);
  // A call that found no broker says so at once.
  window.addEventListener('leveret-no-answer', look);
  // Alarms are shown as soon as a user has logged in.
  window.addEventListener('hashchange', look);
  void look();
}

/** @param {() => unknown} onBack */
async function ask(onBack) {
  const wasLost = isLost();
  if (!loggedIn()) {
    why = null;
    alarms = [];
  } else {
    try {
      const status = await get('/leveret/status');
      answered = new Date();
      why = null;
      alarms = status.alarms;
    } catch (error) {
      // The form that asks for a login says why.
      why = loggedIn() ? reasonOf(error) : null;
    }
  }
  draw();
  if (isLost()) hold();
  else if (wasLost) {
    release();
    await onBack();
  }
}

/** @param {unknown} error */
function reasonOf(error) {
  if (!(error instanceof ApiError))
    return `The answers are not those of a broker: ${messageOf(error)}.`;
  if (error.status === 0) return 'Check that it runs and that the network leads to it.';
  if (error.status === 401) return `It refuses your user: ${error.message}.`;
  return `It answers with an error: ${error.message}.`;
}

function draw() {
  update(
    place('status'),
    why === null
      ? null
      : h(
          'div',
          { class: 'banner bad', role: 'alert' },
          h('b', null, `The broker has not answered since ${moment(answered)}. `),
          `${why} The values are from that time. The page retries automatically.`,
        ),
    alarms.map((alarm) => h('div', { class: 'banner', role: 'alert' }, wordsOf(alarm))),
  );
}

/**
 * The time of day, and the day where it is another.
 * @param {Date} at
 */
function moment(at) {
  const today = at.toDateString() === new Date().toDateString();
  return today ? at.toLocaleTimeString() : at.toLocaleString();
}

/** @param {Alarm} alarm */
function wordsOf({ resource, used, free, limit }) {
  const blocked = 'Connections that publish are blocked; consumers go on.';
  if (resource === 'disk') {
    const figures =
      limit === undefined ? '' : ` (${bytes(free)} free, the limit is ${bytes(limit)})`;
    return [
      h('b', null, `Disk alarm: too little space is free${figures}. `),
      `${blocked} Free space on the disk, consume or purge messages, or lower disk_free_limit.`,
    ];
  }
  const figures = limit === undefined ? '' : ` (${bytes(used)} used, the limit is ${bytes(limit)})`;
  if (resource === 'log') {
    return [
      h('b', null, `Log alarm: the log of the cluster is nearly full${figures}. `),
      `${blocked} See that two nodes follow and make snapshots, or raise cluster.log_bytes_max.`,
    ];
  }
  return [
    h('b', null, `Memory alarm: the broker uses too much memory${figures}. `),
    `${blocked} Consume or purge messages, close connections, or raise vm_memory_high_watermark.`,
  ];
}

/** Lets nothing act on a broker that does not answer. */
function hold() {
  document.body.classList.add('lost');
  for (const each of document.querySelectorAll(LIVE)) {
    if (each.matches(':disabled')) continue;
    each.setAttribute('disabled', '');
    each.setAttribute('data-held', '');
  }
}

function release() {
  document.body.classList.remove('lost');
  for (const each of document.querySelectorAll('[data-held]')) {
    each.removeAttribute('disabled');
    each.removeAttribute('data-held');
  }
}
