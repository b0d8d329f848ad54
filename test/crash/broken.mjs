// Builds that are broken on purpose in what has to do with time and attempts, and with streams: a rule of the judge has to
// find each. Never runs one.

export const BROKEN = [
  {
    name: 'a delay is half as long',
    rule: 'I15',
    change: {
      file: 'broker/queue/delay/queue-delays.js',
      from: 'Math.min(delayMs, DELAY_MAX_MS)',
      to: 'Math.min(delayMs, DELAY_MAX_MS) / 2',
    },
  },
  {
    name: 'what comes back waits half as long',
    rule: 'I15',
    change: {
      file: 'broker/queue/delay/queue-delays.js',
      from: 'entry.dueMs = host.nowMs + delayMs;',
      to: 'entry.dueMs = host.nowMs + delayMs / 2;',
    },
  },
  {
    name: 'what waits is not written',
    rule: 'I1',
    change: {
      file: 'broker/queue/delay/queue-delays.js',
      from: 'this.waiting?.sealInto(batch);',
      to: '',
    },
  },
  {
    name: 'that a message has waited is not written',
    rule: 'I4',
    change: {
      file: 'broker/queue/delay/delay-pages.js',
      from: 'this.rows.putMark(this.queueId, this.mark);',
      to: '',
    },
  },
  {
    name: 'a publish that settles acks a moment later, in another batch',
    rule: 'I8',
    change: {
      file: 'server/channel/publish/publisher.js',
      from: /if \(this\.deliveries\(\)\.ackAll\(acks\)\)\s+outcome \|= ENQUEUED_STORED;/,
      to: 'setTimeout((from) => from.ackAll(acks), 20, this.deliveries());',
    },
  },
  {
    name: 'what is handed on goes out before it is durable',
    rule: 'I8',
    change: {
      file: 'broker/queue/delay/queue-delays.js',
      from: '(flags & PUSH_STEP) === 0 && ',
      to: '',
    },
  },
  {
    name: 'a queue delivers before the commit though it is to do so after it',
    rule: 'I23',
    change: {
      file: 'broker/queue/delay/queue-delays.js',
      from: ' && !rules.deliversAfterCommit',
      to: '',
    },
  },
  {
    name: 'a lease is half as long',
    rule: 'I16',
    change: {
      file: 'server/channel/delivery-timeouts.js',
      from: 'this.nextTagAt(nowMs - timeoutMs)',
      to: 'this.nextTagAt(nowMs - timeoutMs / 2)',
    },
  },
  {
    name: 'a lease is not prolonged, though the broker says so',
    rule: 'I16',
    change: {
      file: 'server/channel/leases.js',
      from: 'this.timeouts.prolong(tag, timeoutMs);',
      to: ';',
    },
  },
  {
    name: 'what is taken back is gone',
    rule: 'I1',
    change: {
      file: 'server/channel/deliveries.js',
      from: /queue\.requeue\(seq, true\);(\s+if \(!keeps)/,
      to: 'queue.settle(seq);$1',
    },
  },
  {
    name: 'an ack that comes late closes the channel',
    rule: 'I11',
    change: {
      file: 'server/channel/deliveries.js',
      from: 'if (this.takenBack.settled(tag))\n            return true;',
      to: '',
    },
  },
  {
    name: 'the groups of messages are not read back',
    rule: 'I18',
    change: {
      file: 'broker/queue/messages/pages/page-row.js',
      from: 'page.groups = readGroups(view, groupsAt + 2, page);',
      to: '',
    },
  },
  {
    name: 'what waits to be tried again holds up no group',
    rule: 'I18',
    change: {
      file: 'broker/queue/groups/grouped-messages.js',
      from: 'this.groups.waits(keyAt(lane, inner));',
      to: '',
    },
  },
  {
    name: 'a tick is noted a moment later, in another batch',
    rule: 'I17',
    change: {
      file: 'broker/schedule/schedule-watch.js',
      from: 'rows.putTicks(vhost.name, name, schedule.state);',
      to: 'setTimeout((state) => rows.putTicks(vhost.name, name, state), 300, schedule.state);',
    },
  },
  {
    name: 'keys of duplicates are not written',
    rule: 'I19',
    change: { file: 'broker/queue/queue.js', from: 'this.duplicates?.keys.sealInto();', to: '' },
  },
  {
    name: 'keys of an exchange are not written',
    rule: 'I19',
    change: {
      file: 'broker/exchange/exchange-duplicates.js',
      from: 'this.keys.sealInto();',
      to: '',
    },
  },
  {
    name: 'after a start a key is free though its message is there',
    rule: 'I19',
    change: {
      file: 'broker/queue/duplicates/queue-duplicates.js',
      from: 'return this.queue.messages.laneSet.isThere(lane, value, exact);',
      to: 'return !this.recovering && this.queue.messages.laneSet.isThere(lane, value, exact);',
    },
  },
  {
    name: 'a stream delivers what is not on the disk yet',
    rule: 'I21',
    change: {
      file: 'broker/queue/stream/stream.js',
      from: 'this.host.unsealedLive += 1;',
      to: 'this.host.unsealedLive += 1; this.entries.durableTail = this.entries.tail; this.wakeReadings();',
    },
  },
  {
    name: 'the last page of a stream is written a moment later',
    rule: 'I20',
    change: {
      file: 'broker/queue/stream/entries/stream-entries.js',
      from: 'this.dirtyPages.seal(batch);',
      to: 'if (Math.random() < 0.5) this.dirtyPages.seal(batch); else setTimeout(() => this.dirtyPages.seal(batch), 30);',
    },
  },
  {
    name: 'a stream lets go of a page too many',
    rule: 'I20',
    change: {
      file: 'broker/queue/stream/entries/retention.js',
      from: 'entries.count - count >= lengthMax',
      to: 'entries.count >= lengthMax',
    },
  },
  {
    name: 'the place of a group is ahead of what it acked',
    rule: 'I22',
    change: {
      file: 'broker/queue/stream/reading/reading.js',
      from: 'cursor.stream.movePlace(group, cursor.place);',
      to: 'cursor.stream.movePlace(group, cursor.place + 200);',
    },
  },
  {
    name: 'the place of a group is not written',
    rule: 'I22',
    change: { file: 'broker/queue/stream/stream.js', from: 'this.places.seal();', to: '' },
  },
];
