// Owns which test files belong to which project of vitest: `unit` has those that need no process, no socket and
// no real clock, which sealed.ts enforces while they run; `system` has all others. Never runs anything.

/** Rooms of tests whose files are unit tests. */
const UNIT_ROOMS = ['test/{amqp,broker,config,message,util}/**/*.test.ts', 'test/*.test.ts'];

/** Every other room, and any that is new. */
const OTHER_ROOMS = ['test/!(amqp|broker|config|conformance|message|util)/**/*.test.ts'];

/** Files in rooms of unit tests that look outside all the same. */
const OUTSIDE = [
  'test/broker/vhost/vhost-actor.test.ts', // asks over AMQP and HTTP as well
  'test/util/log/printable.test.ts', // runs the command line
  'test/util/system/whole-file.test.ts', // reads from a process that writes
];

/** Unit tests in the other rooms. */
const INSIDE = [
  'test/cli/{manner,output,supervise}.test.ts',
  'test/cli/verb/target-options.test.ts',
  'test/cluster/leaders-time.test.ts',
  'test/cluster/snapshots/{snapshot-facts,trim}.test.ts',
  'test/crash/check.test.ts',
  'test/crash/check-streams.test.ts',
  'test/management/{docs,json-pieces,listing,turn-share}.test.ts',
  'test/management/http/{form-file,origins}.test.ts',
  'test/perf/latencies.test.ts',
  'test/server/log-calls.test.ts',
  'test/server/backpressure/{read-gate,resource-monitor,store-backpressure}.test.ts',
  'test/server/channel/{confirms,unacked}.test.ts',
  'test/server/connection/{heartbeat,peer-info}.test.ts',
  'test/server/listen/socket-limit.test.ts',
  'test/server/tls/{context,names}.test.ts',
  'test/server/{turn,wire}/*.test.ts',
  'test/store/replicated/{appender,chain,follower,lease,place,record}.test.ts',
  'test/store/replicated/nats/tries.test.ts',
  'test/store/{checksum,format,memory}.test.ts',
];

/** What the project `unit` runs. */
export const UNIT = { include: [...UNIT_ROOMS, ...INSIDE], exclude: OUTSIDE };

/** What the project `system` runs. */
export const SYSTEM = { include: [...OTHER_ROOMS, ...OUTSIDE], exclude: INSIDE };

/** What the project `conformance` runs. */
export const CONFORMANCE = { include: ['test/conformance/**/*.test.ts'] };

/**
 * Files whose minutes go into processes that start and stop, files that are spoiled, odd input by the thousand and
 * pages in a browser: what they prove hangs little on the version of Node.js. `.ci/run` runs them on the Node that is
 * here, and leaves them out where it repeats the tests on another one. A job for each version runs them all.
 */
export const ONCE = [
  'test/process/{check,check-log,data-gone,definitions,durability,full-disk,import,repair,verbs}.test.ts',
  'test/{bench,damage,fuzz,ui}/**/*.test.ts',
  'test/crash/cluster/**/*.test.ts',
  'test/boot/cluster/{groups,moves}.test.ts',
  'test/examples/cluster.test.ts',
  'test/management/{fields,hostile,rests}.test.ts',
  'test/power/power.test.ts',
  'test/store/replicated/model.test.ts',
  'test/store/replicated/nats/cluster.test.ts',
  'test/server/fuzz.test.ts',
];
