// Owns the bindings of one vhost: making them, finding those to a destination, taking them away. Never routes, and
// never decides that a queue or an exchange goes.

import type { FieldTable } from '../../amqp/field-table.ts';
import { routingType } from '../exchange/arguments.ts';
import type { Binding } from '../exchange/binding.ts';
import { BindingsByDestination } from '../exchange/bindings-by-destination.ts';
import {
  bindingIdentity,
  type Destination,
  type Exchange,
  isExchange,
} from '../exchange/exchange.ts';
import { checkBinding } from './declare-rules.ts';
import { Unbinding, type UnbindingBroker } from './unbinding.ts';
import { UnusedExchanges } from './unused-exchanges.ts';

/** All bindings of one vhost. */
export class VhostBindings {
  /** For what goes with all its bindings. */
  readonly unbinding: Unbinding;
  private readonly vhost: string;
  private readonly broker: UnbindingBroker;
  private readonly routesChanged: () => void;
  private readonly sources = new BindingsByDestination();
  private readonly unused: UnusedExchanges;

  /** `removeExchange`: an auto-delete exchange has lost its last binding. */
  constructor(
    vhost: string,
    broker: UnbindingBroker,
    routesChanged: () => void,
    removeExchange: (exchange: Exchange) => void,
  ) {
    this.vhost = vhost;
    this.broker = broker;
    this.routesChanged = routesChanged;
    this.unused = new UnusedExchanges(removeExchange);
    this.unbinding = new Unbinding(vhost, broker, this.sources, this.unused, routesChanged);
  }

  /** Binds a destination to a source exchange; doing so again changes nothing. */
  bind(source: Exchange, destination: Destination, bindingKey: string, args: FieldTable): void {
    checkBinding(routingType(source.type, source.arguments), bindingKey, args);
    const toExchange = isExchange(destination);
    const identity = bindingIdentity(toExchange, destination.name, bindingKey, args);
    if (source.bindings.has(identity)) return;
    const durable = source.durable && destination.durable;
    const { broker, vhost: name } = this;
    if (durable) {
      const ends = { source: source.name, destination: destination.name, toExchange };
      broker.definitionRows.putBinding(name, identity, { ...ends, bindingKey, arguments: args });
    }
    broker.core.line.change(() => {
      this.add(source, destination, bindingKey, args);
      this.routesChanged();
      const at = [source.name, toExchange, destination.name] as const;
      broker.changes.binding('declared', name, ...at, bindingKey);
      if (durable) broker.core.definitionChanged();
    });
  }

  /** The bindings that lead to a destination, each as its source and its identity there. */
  to(destination: Destination): ReturnType<BindingsByDestination['bindingsTo']> {
    return this.sources.bindingsTo(destination);
  }

  /** Whether that very binding is there. */
  has(source: Exchange, destination: Destination, bindingKey: string, args: FieldTable): boolean {
    const toExchange = isExchange(destination);
    return source.bindings.has(bindingIdentity(toExchange, destination.name, bindingKey, args));
  }

  /** Takes a binding away; one that is not there is no error. */
  unbind(source: Exchange, destination: Destination, bindingKey: string, args: FieldTable): void {
    const toExchange = isExchange(destination);
    const identity = bindingIdentity(toExchange, destination.name, bindingKey, args);
    this.broker.core.line.change(() => {
      if (this.unbinding.remove(source, identity)) this.unused.look(source);
    });
  }

  /** Adds a binding, also for recovery; one that is there already stays. */
  add(source: Exchange, destination: Destination, bindingKey: string, args: FieldTable): void {
    const toExchange = isExchange(destination);
    const identity = bindingIdentity(toExchange, destination.name, bindingKey, args);
    const binding: Binding<Destination> = { destination, bindingKey, arguments: args };
    if (source.addBinding(identity, binding)) this.sources.add(destination, source, identity);
  }

  /** Forgets all of them: the vhost goes. */
  clear(): void {
    this.sources.clear();
  }
}
