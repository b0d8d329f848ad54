// Owns the parameters of a vhost or of the broker: they are kept, listed and exported, and mean
// nothing here. Policies and limits, which RabbitMQ counts among them, have homes of their own.

import { Refusal } from '../errors.ts';
import type { Steps } from '../turn/slices.ts';
import type { GlobalParameter, Parameter, PolicyRows } from './policy-rows.ts';

/** The parameters of one vhost. */
export class Parameters {
  private readonly vhost: string;
  private readonly rows: PolicyRows;
  private readonly changed: () => void;
  private readonly byKey = new Map<string, Parameter>();

  constructor(vhost: string, rows: PolicyRows, changed: () => void) {
    this.vhost = vhost;
    this.rows = rows;
    this.changed = changed;
  }

  recover(): void {
    for (const parameter of this.rows.parameters(this.vhost)) this.keep(parameter);
  }

  /** All of them, one by one; others may come and go meanwhile. */
  each(): Iterable<Parameter> {
    return this.byKey.values();
  }

  list(): Parameter[] {
    return [...this.each()];
  }

  set(parameter: Parameter): void {
    this.rows.putParameter(this.vhost, parameter);
    this.rows.line.change(() => {
      this.keep(parameter);
      this.changed();
    });
  }

  clear(component: string, name: string): void {
    const key = keyOf(component, name);
    if (!this.byKey.has(key)) throw noParameter();
    this.rows.line.change(() => {
      this.byKey.delete(key);
      this.rows.removeParameter(this.vhost, component, name);
      this.changed();
    });
  }

  /** Takes all off the disk: the vhost is deleted. */
  *discarding(): Steps {
    for (const { component, name } of this.list()) {
      this.clear(component, name);
      yield;
    }
  }

  private keep(parameter: Parameter): void {
    this.byKey.set(keyOf(parameter.component, parameter.name), parameter);
  }
}

/** The parameters of the broker. */
export class GlobalParameters {
  private readonly rows: PolicyRows;
  private readonly changed: () => void;
  private readonly byName = new Map<string, GlobalParameter>();

  constructor(rows: PolicyRows, changed: () => void) {
    this.rows = rows;
    this.changed = changed;
  }

  recover(): void {
    for (const parameter of this.rows.globalParameters()) {
      this.byName.set(parameter.name, parameter);
    }
  }

  each(): Iterable<GlobalParameter> {
    return this.byName.values();
  }

  list(): GlobalParameter[] {
    return [...this.each()];
  }

  find(name: string): GlobalParameter | null {
    return this.byName.get(name) ?? null;
  }

  set(parameter: GlobalParameter): void {
    this.rows.putGlobalParameter(parameter);
    this.rows.line.change(() => {
      this.byName.set(parameter.name, parameter);
      this.changed();
    });
  }

  clear(name: string): void {
    if (!this.byName.has(name)) throw noParameter();
    this.rows.line.change(() => {
      this.byName.delete(name);
      this.rows.removeGlobalParameter(name);
      this.changed();
    });
  }
}

function keyOf(component: string, name: string): string {
  return JSON.stringify([component, name]);
}

function noParameter(): Refusal {
  return new Refusal('not-found', 'Parameter does not exist');
}
