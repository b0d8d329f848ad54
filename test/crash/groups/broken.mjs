// Builds that are broken on purpose in what a move of a vhost rests upon: the load and the faults named have to find each, or
// else the test that is named does, where other parts hide what is broken. Never runs one.

const MOVES = 'boot/cluster/groups/moves.js';
const LEAVES =
  "around.logger.info({ vhost: name, to: place.moving?.to, record }, 'a vhost leaves');";

export const BROKEN = [
  {
    name: 'the snapshot may be older than the departure',
    only: ['none'],
    test: 'test/boot/cluster/moves.test.ts',
    // The first move in each group is sound: three are needed.
    changes: [
      {
        file: MOVES,
        from: 'const record = await around.snapshot();',
        to: 'this.early ??= await around.snapshot();\n        const record = this.early;',
      },
    ],
  },
  {
    name: 'a vhost that leaves is dropped once it was copied',
    only: ['called off', 'kill -9 of the target during the taking'],
    test: 'test/boot/cluster/moves.test.ts',
    changes: [{ file: MOVES, from: LEAVES, to: 'this.drop(vhost).catch(() => {});' }],
  },
  {
    name: 'a vhost is there before it is noted which contents have arrived',
    only: ['kill -9 of the target after the flip'],
    test: 'test/boot/cluster/moves.test.ts',
    changes: [
      {
        file: MOVES,
        from: 'broker.placeVhost(vhost.name, { arrived: move.id });\n        await around.durable();',
        to: 'setTimeout(() => broker.placeVhost(vhost.name, { arrived: move.id }), 1000);',
      },
    ],
  },
  {
    name: 'a departure is not durable before the snapshot is made',
    only: [
      'SIGSTOP of the source before the departure',
      'SIGSTOP of the source during the snapshot',
    ],
    test: 'test/boot/cluster/groups/departure.test.ts',
    changes: [
      {
        file: MOVES,
        from: 'broker.sealExactMarksOf(vhost);\n        await around.durable();',
        to: '',
      },
    ],
  },
  {
    name: 'users and vhosts may be older ones again',
    only: ['SIGSTOP of the source after the flip', 'SIGSTOP of the target after the flip'],
    test: 'test/broker/directory/follow.test.ts',
    changes: [
      {
        file: 'broker/directory/version.js',
        from: "return ahead > 0 ? 'newer' : 'older';",
        to: "return 'newer';",
      },
    ],
  },
];
