// Builds that are broken on purpose in what must hold after a power cut: the judge has to find each. Never runs one.

/**
 * What is broken: a file of dist/, what is searched there and what comes in its place. `wrongs`: what of wrongs.mjs comes of
 * it; the first of them has to be found. `opens`: it is wrong with how such a build opens an image; all others are opened
 * by the build that is whole. `rare`: what comes of it is in few images, and the fewer the busier the machine.
 * @type {{ name: string, wrongs: string[], opens?: true, rare?: true, change: { file: string, from: string | RegExp, to: string } }[]}
 */
export const BROKEN = [
  {
    name: 'a confirm is sent before its batch is on the disk',
    wrongs: ['lost', 'again', 'keys', 'twice'],
    change: {
      file: 'server/turn/turn.js',
      from: 'channel.flushConfirms(this.core.durableBatch)',
      to: 'channel.flushConfirms(Infinity)',
    },
  },
  {
    name: 'the log is not synced',
    wrongs: ['lost', 'again', 'keys', 'twice'],
    change: {
      file: 'store/log/open.js',
      from: '(WRITES_THROUGH ? constants.O_DSYNC : 0)',
      to: '0',
    },
  },
  {
    name: 'a batch counts as durable before its record is in the log',
    wrongs: ['lost', 'again', 'keys', 'twice'],
    change: {
      file: 'store/log/logged-store.js',
      from: 'log.append(this.last,',
      to: 'const early = this.durable + writing.length; queueMicrotask(() => this.durableListener?.(early)); log.append(this.last,',
    },
  },
  {
    name: 'a start applies records whose checksum is wrong',
    wrongs: ['unopened', 'lost', 'damaged'],
    opens: true,
    rare: true,
    change: {
      file: 'store/log/ring/scan.js',
      from: /if \(whole && checksum\(.*=== head\.crc\)/,
      to: 'if (whole)',
    },
  },
  {
    name: 'a start does not apply what the log has',
    wrongs: ['lost', 'again', 'keys', 'twice'],
    opens: true,
    change: {
      file: 'store/log/open.js',
      from: 'for (const batch of batches) {',
      to: 'for (const batch of []) {',
    },
  },
  {
    name: 'the tables say that they have what is on its way into them',
    wrongs: ['lost', 'again', 'keys', 'twice'],
    change: {
      file: 'store/log/applier.js',
      from: /PIECE_CHANGES = \d+([\s\S]*?)if \(this\.pieces\.length > 0\) \{/,
      to: 'PIECE_CHANGES = 2$1if (this.pieces.length > 0) { this.putPosition();',
    },
  },
  {
    name: 'an ack is not written',
    wrongs: ['again', 'twice'],
    change: {
      file: 'broker/queue/messages/queue-entries.js',
      from: /page\.storedLive -= 1;\s+if \(!page\.dirty\)\s+this\.dirtyPage\(page\);/,
      to: 'page.storedLive -= 1;',
    },
  },
  {
    name: 'what comes back to wait leaves its place in another batch',
    wrongs: ['twice'],
    change: {
      file: 'broker/queue/delay/queue-delays.js',
      from: /messages\.end\(seq\);/,
      to: 'setTimeout(() => messages.end(seq), 40);',
    },
  },
  {
    name: 'what waits is not written',
    wrongs: ['lost'],
    change: {
      file: 'broker/queue/delay/queue-delays.js',
      from: 'this.waiting?.sealInto(batch);',
      to: '',
    },
  },
  {
    name: 'a publish that settles acks a moment later, in another batch',
    wrongs: ['twice'],
    change: {
      file: 'server/channel/publish/publisher.js',
      from: /if \(this\.deliveries\(\)\.ackAll\(acks\)\)\s+outcome \|= ENQUEUED_STORED;/,
      to: 'setTimeout((from) => from.ackAll(acks), 60, this.deliveries());',
    },
  },
  {
    name: 'a delay is half as long',
    wrongs: ['early'],
    change: {
      file: 'broker/queue/delay/queue-delays.js',
      from: 'Math.min(delayMs, DELAY_MAX_MS)',
      to: 'Math.min(delayMs, DELAY_MAX_MS) / 2',
    },
  },
  {
    name: 'a tick is noted a moment later, in another batch',
    wrongs: ['ticks'],
    change: {
      file: 'broker/schedule/schedule-watch.js',
      from: 'rows.putTicks(vhost.name, name, schedule.state);',
      to: 'setTimeout((state) => rows.putTicks(vhost.name, name, state), 600, schedule.state);',
    },
  },
  {
    name: 'a lease is not prolonged, though the broker says so',
    wrongs: ['again', 'lost'],
    change: {
      file: 'server/channel/leases.js',
      from: 'this.timeouts.prolong(tag, timeoutMs);',
      to: ';',
    },
  },
  {
    name: 'what is taken back is gone',
    wrongs: ['lost'],
    change: {
      file: 'server/channel/deliveries.js',
      from: /queue\.requeue\(seq, true\);(\s+if \(!keeps)/,
      to: 'queue.settle(seq);$1',
    },
  },
  {
    name: 'the groups of messages are not written',
    wrongs: ['groups'],
    change: {
      file: 'broker/queue/messages/pages/page-row.js',
      from: 'row.writeUIntBE(groups[slot], at, 6)',
      to: 'row.writeUIntBE(0, at, 6)',
    },
  },
  {
    name: 'after a start what waits to be tried again holds up no group',
    wrongs: ['groups'],
    opens: true,
    change: {
      file: 'broker/queue/groups/grouped-messages.js',
      from: 'this.groups.waits(this.keys.peek(position));',
      to: '',
    },
  },
  {
    name: 'after a start a key is known whatever became of its message',
    wrongs: ['keys'],
    opens: true,
    change: {
      file: 'broker/queue/queue.js',
      from: 'this.duplicates?.recover();',
      to: 'if (this.duplicates) this.duplicates.lasts = () => true; this.duplicates?.recover();',
    },
  },
  {
    name: 'keys of a queue are not written',
    wrongs: ['keys'],
    change: {
      file: 'broker/queue/queue.js',
      from: 'this.duplicates?.keys.sealInto();',
      to: '',
    },
  },
  {
    name: 'a key is written a moment after its message',
    wrongs: ['keys'],
    change: {
      file: 'broker/queue/queue.js',
      from: 'this.duplicates?.keys.sealInto();',
      to: 'setTimeout((keys) => keys?.sealInto(), 20, this.duplicates?.keys);',
    },
  },
  {
    name: 'a message is written a moment after its key',
    wrongs: ['keys', 'lost', 'twice'],
    change: {
      file: 'broker/queue/queue.js',
      from: /this\.messages\.push\(position, bodyBytes, flags\);(\s+return this\.pushed)/,
      to: 'if (this.duplicates) setTimeout(() => { this.messages.push(position, bodyBytes, flags); this.pushed(); }, 20); else this.messages.push(position, bodyBytes, flags);$1',
    },
  },
  {
    name: 'the key of a message that waited is not written with its new place',
    wrongs: ['keys'],
    change: {
      file: 'broker/queue/duplicates/queue-duplicates.js',
      from: /(becomesReady[^}]*)this\.isStored\(flags\)/,
      to: '$1false',
    },
  },
  {
    name: 'keys of an exchange are not written',
    wrongs: ['keys'],
    change: {
      file: 'broker/exchange/exchange-duplicates.js',
      from: 'this.keys.sealInto();',
      to: '',
    },
  },
  {
    name: 'a duplicate is confirmed before the first message is safe',
    wrongs: ['lost'],
    rare: true,
    change: {
      file: 'server/channel/publish/keyed-publish.js',
      from: 'return waits ? ENQUEUED_STORED : 0;',
      to: 'return 0;',
    },
  },
  {
    name: 'a stream delivers what is not on the disk yet',
    wrongs: ['offsets'],
    change: {
      file: 'broker/queue/stream/stream.js',
      from: 'this.host.unsealedLive += 1;',
      to: 'this.host.unsealedLive += 1; this.entries.durableTail = this.entries.tail; this.wakeReadings();',
    },
  },
  {
    name: 'the place of a group is ahead of what it acked',
    wrongs: ['places'],
    change: {
      file: 'broker/queue/stream/reading/reading.js',
      from: 'cursor.stream.movePlace(group, cursor.place);',
      to: 'cursor.stream.movePlace(group, cursor.place + 30);',
    },
  },
  {
    name: 'the place of a group is not written',
    wrongs: ['places'],
    change: {
      file: 'broker/queue/stream/stream.js',
      from: 'this.places.seal();',
      to: '',
    },
  },
  {
    name: 'the last page of a stream is written a moment later',
    wrongs: ['lost', 'offsets', 'places'],
    change: {
      file: 'broker/queue/stream/entries/stream-entries.js',
      from: 'this.dirtyPages.seal(batch);',
      to: 'if (Math.random() < 0.5) this.dirtyPages.seal(batch); else setTimeout(() => this.dirtyPages.seal(batch), 30);',
    },
  },
];

/** All but those that are rare, in few builds, in each of which what comes of one change comes of no other. */
export function brokenTogether() {
  const builds = [];
  for (const broken of BROKEN.filter(({ rare }) => rare !== true)) {
    const suits = (build) =>
      build.every((other) => {
        const mixed = broken.wrongs.some((wrong) => other.wrongs.includes(wrong));
        return !mixed && broken.opens === other.opens && broken.change.file !== other.change.file;
      });
    const build = builds.find(suits);
    if (build === undefined) builds.push([broken]);
    else build.push(broken);
  }
  return builds;
}
