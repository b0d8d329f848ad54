// Builds that are broken on purpose in what a cluster rests upon: the load and the faults named have to find each, or else the
// test that is named does, where other parts hide what is broken. Never runs one.

export const BROKEN = [
  {
    name: 'a record counts whichever leader it is of',
    only: ['what the leader sends is held back'],
    test: 'test/store/replicated/model.test.ts',
    changes: [
      {
        file: 'store/replicated/chain.js',
        from: 'return this.at.epoch !== 0 && epoch === this.at.epoch && number === this.at.number + 1;',
        to: 'return this.at.epoch !== 0;',
      },
    ],
  },
  {
    name: 'a leader that is not answered sends again without reading the log',
    // Its lease hides it, but where that does not end.
    only: ["the leader's clocks stand still"],
    test: 'test/store/replicated/appender.test.ts',
    changes: [
      {
        file: 'store/replicated/appender.js',
        from: 'for (let seq = this.at.seq + 1; seq <= last; seq += 1) {',
        to: 'for (let seq = this.at.seq + 1; seq <= 0; seq += 1) {',
      },
    ],
  },
  {
    name: 'a leader confirms without being sure that it leads',
    only: ['SIGSTOP of the leader'],
    test: 'test/store/replicated/replicated-log.test.ts',
    changes: [
      {
        file: 'store/replicated/replicated-log.js',
        from: 'leading.whenSure(() => this.end(null));',
        to: 'this.end(null);',
      },
      { file: 'boot/serve.js', from: 'mayConfirm: () => lead.sure', to: 'mayConfirm: () => true' },
    ],
  },
  {
    name: 'a leader confirms what needs no disk without being sure that it leads',
    only: ['SIGSTOP of the leader'],
    test: 'test/boot/cluster/unsure.test.ts',
    changes: [
      { file: 'boot/serve.js', from: 'mayConfirm: () => lead.sure', to: 'mayConfirm: () => true' },
    ],
  },
  {
    name: 'a lease is held by the monotonic clock alone',
    only: ["the leader's machine is suspended"],
    test: 'test/store/replicated/lease.test.ts',
    changes: [
      {
        file: 'store/replicated/lease.js',
        from: 'return Math.max(clock.monotonicMs() - renewed.monotonicMs, wallMs);',
        to: 'return clock.monotonicMs() - renewed.monotonicMs;',
      },
    ],
  },
  {
    name: "a leader's queues live by the time of day of its machine",
    only: ["the leader's time of day is set"],
    test: 'test/broker/turn/broker-time.test.ts',
    changes: [
      {
        file: 'boot/cluster/term.js',
        from: 'this.around.timeMs()',
        to: 'null',
      },
    ],
  },
  {
    name: 'a snapshot is sent, taken and put in place unchecked',
    only: ['a follower loses its folder'],
    test: 'test/cluster/snapshots/put-snapshot.test.ts',
    changes: [
      {
        file: 'cluster/peers/send-snapshot.js',
        from: "(at === bytes && hash.digest('hex') !== sha256)",
        to: 'at < 0',
      },
      {
        file: 'cluster/peers/fetch-snapshot.js',
        from: "if (hash.digest('hex') !== sha256)",
        to: 'if (received < 0)',
      },
      {
        file: 'cluster/snapshots/put-snapshot.js',
        from: 'await place.check(folder);',
        to: '',
      },
    ],
  },
];
