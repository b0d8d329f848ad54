// Owns the deletion of vhosts, step by step: what of one is gone, and when the rest may go. Never decides whether one
// may be deleted.

import type { Access } from '../access/access.ts';
import type { BrokerCore } from '../core/core.ts';
import { finish, type Steps } from '../turn/slices.ts';
import type { DefinitionRows } from './topology-rows.ts';
import type { Vhost } from './vhost.ts';

/** What is needed of the broker. */
interface DeletionBroker {
  readonly core: BrokerCore;
  readonly access: Access;
  readonly definitionRows: DefinitionRows;
  readonly vhosts: Map<string, Vhost>;
  listed(name: string): Vhost;
}

/** One vhost that goes. No list has it any more. */
interface Deletion {
  readonly vhost: Vhost;
  readonly steps: Steps;
  /** Resolves when all of it is gone. */
  readonly over: Promise<void>;
}

/**
 * All vhosts that go. The row of one says so from its first step to its last, and what needs another goes before that:
 * whenever the broker ends in between, the next start can read what is there, and goes on.
 */
export class VhostDeletions {
  private readonly broker: DeletionBroker;
  private readonly forceConnections: (vhost: Vhost) => void;
  private readonly underWay = new Map<string, Deletion>();

  constructor(broker: DeletionBroker, forceConnections: (vhost: Vhost) => void) {
    this.broker = broker;
    this.forceConnections = forceConnections;
  }

  /** The vhosts that go: their queues may still hold messages. */
  get vhosts(): Vhost[] {
    return [...this.underWay.values()].map(({ vhost }) => vhost);
  }

  /** Deletes a vhost in one go. Throws a Refusal when there is none. */
  atOnce(name: string): void {
    finish(this.begin(name).steps);
  }

  /**
   * Ends the connections of a vhost, and deletes it in steps once it is durable that it goes, for which `durable`
   * waits. Resolves when all of it is gone; a Refusal comes before anything is changed.
   */
  async inSteps(name: string, durable: () => Promise<void>): Promise<void> {
    const { steps, over } = this.begin(name);
    await durable();
    this.broker.core.slices.begin(steps, () => {});
    await over;
  }

  /** Goes on with a vhost that an earlier broker has begun to delete, as turns come. */
  goOn(vhost: Vhost): void {
    const { slices } = this.broker.core;
    const { steps } = this.note(vhost);
    slices.later(() => slices.begin(steps, () => {}));
  }

  /** Resolves when no vhost of that name goes any more. */
  async over(name: string): Promise<void> {
    await this.underWay.get(name)?.over;
  }

  /** Brings the deletion of that name, if there is one, to its end now. */
  finish(name: string): void {
    const deletion = this.underWay.get(name);
    if (deletion !== undefined) finish(deletion.steps);
  }

  private begin(name: string): Deletion {
    const { broker } = this;
    const vhost = broker.listed(name);
    this.forceConnections(vhost);
    broker.core.line.begin();
    broker.access.rows.markVhost(vhost.snapshot());
    broker.vhosts.delete(name);
    broker.core.definitionChanged();
    const deletion = this.note(vhost);
    broker.core.line.end();
    return deletion;
  }

  private note(vhost: Vhost): Deletion {
    let end = (): void => {};
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    const deletion = { vhost, steps: this.steps(vhost, () => end()), over };
    this.underWay.set(vhost.name, deletion);
    vhost.schedules.stop();
    return deletion;
  }

  private *steps(vhost: Vhost, then: () => void): Steps {
    yield* inBatches(this.broker.core, this.everything(vhost));
    then();
  }

  private *everything(vhost: Vhost): Steps {
    const { access, definitionRows } = this.broker;
    const { name } = vhost;
    yield* contentsGoing(definitionRows, vhost);
    yield* access.forgettingVhost(name);
    // Rows that cannot be read, and those that were not durable when the others were looked for.
    definitionRows.removeVhost(name);
    access.rows.removeVhost(name);
    this.underWay.delete(name);
  }
}

/** Does steps each of which is one change; each turn writes what it took away, so that no batch has all of it. */
export function* inBatches(core: BrokerCore, steps: Steps): Steps {
  for (;;) {
    core.line.begin();
    const { done } = steps.next();
    core.definitionChanged();
    core.awaitBatch();
    core.line.end();
    if (done === true) return;
    yield;
  }
}

/** Lets go of all that is in a vhost. What is there at any moment can be read back: no binding lacks its source or destination. */
export function* contentsGoing(definitionRows: DefinitionRows, vhost: Vhost): Steps {
  const { name } = vhost;
  yield* definitionRows.removing('b', name);
  yield* vhost.dropping();
  yield* definitionRows.removing('x', name);
  yield* vhost.policies.discarding();
  yield* vhost.parameters.discarding();
  yield* vhost.schedules.discarding();
}
