// The network between the machines of the cluster under test: one machine for all, or network namespaces with an address each,
// whose cables can be pulled. Never says which, nor when.
import { spawnSync } from 'node:child_process';

/** Bytes of the subnet that are the same in all runs: 10.213.n.0/24. */
const SUBNET = '10.213';
const SUBNETS = 250;
const HUB = 254;
const FIRST_MACHINE = 11;

/** All on 127.0.0.1: no way between two of them can be cut. */
export class OneMachine {
  canCut = false;
  /** Where what runs beside the machines listens for them. */
  hub = '127.0.0.1';

  hostOf() {
    return '127.0.0.1';
  }

  /** How a program is started on a machine: the program, and its arguments. */
  commandOn(_machine, program, args) {
    return [program, args];
  }

  close() {}
}

/**
 * Namespaces, each with a cable to one bridge, which this process and the clients are at as well. Needs Linux, root, `ip` and
 * `iptables`.
 */
export class Namespaces {
  canCut = true;

  /** @param {readonly string[]} machines their names. Throws where it is not permitted or does not work. */
  constructor(machines) {
    this.prefix = `lv${process.pid % 100_000}`;
    this.machines = machines;
    this.subnet = `${SUBNET}.${process.pid % SUBNETS}`;
    this.hub = `${this.subnet}.${HUB}`;
    try {
      this.open();
      for (const machine of machines) this.isReached(machine);
    } catch (error) {
      this.close();
      throw new Error(`no network namespaces here: ${error.message}`);
    }
  }

  open() {
    ip(`link add name ${this.prefix} type bridge`);
    ip(`addr add ${this.hub}/24 dev ${this.prefix}`);
    ip(`link set ${this.prefix} up`);
    for (const machine of this.machines) {
      const space = this.spaceOf(machine);
      ip(`netns add ${space}`);
      ip(`link add ${space} type veth peer name eth0 netns ${space}`);
      ip(`link set ${space} master ${this.prefix} up`);
      ip(`-n ${space} addr add ${this.hostOf(machine)}/24 dev eth0`);
      ip(`-n ${space} link set eth0 up`);
      ip(`-n ${space} link set lo up`);
      this.filter(machine, '-L OUTPUT');
    }
  }

  /** A bridge may be there and hand nothing on, as where a firewall has the last word. */
  isReached(machine) {
    const [other] = this.machines.filter((each) => each !== machine);
    for (const to of [this.hub, this.hostOf(other)]) {
      run('ip', ['netns', 'exec', this.spaceOf(machine), ...`ping -c 1 -W 5 ${to}`.split(' ')]);
    }
  }

  spaceOf(machine) {
    return `${this.prefix}-${machine}`;
  }

  hostOf(machine) {
    return `${this.subnet}.${FIRST_MACHINE + this.machines.indexOf(machine)}`;
  }

  /** `ip netns exec` becomes the program, so that a signal to the process reaches that. */
  commandOn(machine, program, args) {
    return ['ip', ['netns', 'exec', this.spaceOf(machine), program, ...args]];
  }

  /** Pulls the cable of a machine: nothing goes in or out, and no peer is told. */
  pull(machine) {
    ip(`link set ${this.spaceOf(machine)} down`);
  }

  plug(machine) {
    ip(`link set ${this.spaceOf(machine)} up`);
  }

  /** Has a machine drop what it sends to these ports of an address, or what comes from there. */
  drop(machine, way, host, ports = []) {
    const [chain, address, port] =
      way === 'out' ? ['OUTPUT', '-d', '--dport'] : ['INPUT', '-s', '--sport'];
    const rules = ports.length === 0 ? [''] : ports.map((each) => ` ${port} ${each}`);
    for (const rule of rules) {
      this.filter(machine, `-A ${chain} -p tcp ${address} ${host}${rule} -j DROP`);
    }
  }

  /** Drops nothing any more. */
  pass(machine) {
    this.filter(machine, '-F');
  }

  filter(machine, rule) {
    run('ip', ['netns', 'exec', this.spaceOf(machine), 'iptables', '-w', ...rule.split(' ')]);
  }

  /** Removes all of it; what runs in a namespace has ended before. */
  close() {
    for (const machine of this.machines) {
      spawnSync('ip', ['netns', 'del', this.spaceOf(machine)]);
      spawnSync('ip', ['link', 'del', this.spaceOf(machine)]);
    }
    spawnSync('ip', ['link', 'del', this.prefix]);
  }
}

function ip(words) {
  run('ip', words.split(' '));
}

function run(program, args) {
  const { error, status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (error === undefined && status === 0) return;
  const why = error?.message ?? (stderr.trim() || `exit code ${status}`);
  throw new Error(`${program} ${args.join(' ')}: ${why}`);
}
