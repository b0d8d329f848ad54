// Owns the bindings of the type `headers`, behind `amq.match` too, and which of them are tried for a
// message. Never looks at keys; what a binding asks of a message is in headers-rule.ts.

import type { Field } from '../../../amqp/field-table.ts';
import { assert } from '../../../util/assert.ts';
import type { Binding } from '../binding.ts';
import type { ExchangeRouter, Matches, RoutedMessage } from '../exchange-router.ts';
import { type HeaderName, HeaderNames } from './header-name.ts';
import { type HeadersRule, isMet, readRule } from './headers-rule.ts';

/** All rules that want the same text under the same name: a message without it need not try them. */
interface Shelf<D> {
  readonly name: HeaderName;
  readonly byText: Map<string, HeadersRule<D>[]>;
  /** Its place among the shelves. */
  at: number;
}

/** Where a rule is kept: on the shelf of one of its conditions, or (-1) with those always tried. */
interface Kept<D> {
  readonly rule: HeadersRule<D>;
  readonly condition: number;
}

/** A message goes to every destination that has a binding whose conditions its headers meet. */
export class HeadersRouter<D> implements ExchangeRouter<D> {
  private readonly names = new HeaderNames();
  private readonly kept = new Map<Binding<D>, Kept<D>>();
  private readonly always: HeadersRule<D>[] = [];
  private readonly shelves: Shelf<D>[] = [];
  private readonly shelfOf = new Map<HeaderName, Shelf<D>>();

  add(binding: Binding<D>): void {
    const rule = readRule(binding, this.names);
    const condition = this.condition(rule);
    this.kept.set(binding, { rule, condition });
    const rules = this.rulesAt(rule, condition);
    rule.at = rules.length;
    rules.push(rule);
  }

  remove(binding: Binding<D>): void {
    const kept = this.kept.get(binding);
    assert(kept !== undefined, 'a binding to remove was added before');
    const { rule, condition } = kept;
    this.kept.delete(binding);
    const rules = this.rulesAt(rule, condition);
    const last = rules.pop() as HeadersRule<D>;
    if (last !== rule) {
      rules[rule.at] = last;
      last.at = rule.at;
    }
    if (condition >= 0 && rules.length === 0) this.tidy(rule, condition);
    for (const name of rule.names) this.names.release(name);
  }

  route(_routingKey: string, message: RoutedMessage, matches: Matches<D>): boolean {
    let matched = tryAll(this.always, message, matches, false);
    for (let i = 0; i < this.shelves.length; i++) {
      const { name, byText } = this.shelves[i] as Shelf<D>;
      const header = message.header(name);
      const text = header === null ? null : textOf(header);
      const rules = text === null ? undefined : byText.get(text);
      if (rules !== undefined) matched = tryAll(rules, message, matches, matched);
    }
    return matched;
  }

  /** How many bindings are held, with the names they ask for and the shelves they lie on. */
  get size(): number {
    return this.kept.size + this.names.size + this.shelves.length;
  }

  /**
   * The condition on whose shelf a rule goes: of those that want a text, the one that the fewest
   * others share. A rule that needs no text of the message is always tried.
   */
  private condition({ all, names, values }: HeadersRule<D>): number {
    let best = -1;
    let fewest = Infinity;
    for (let i = 0; all && i < names.length; i++) {
      const text = textOf(values[i] as Field);
      if (text === null) continue;
      const shelf = this.shelfOf.get(names[i] as HeaderName);
      const others = shelf?.byText.get(text)?.length ?? 0;
      if (others >= fewest) continue;
      fewest = others;
      best = i;
    }
    return best;
  }

  private rulesAt(rule: HeadersRule<D>, condition: number): HeadersRule<D>[] {
    if (condition < 0) return this.always;
    const name = rule.names[condition] as HeaderName;
    const text = textOf(rule.values[condition] as Field) as string;
    let shelf = this.shelfOf.get(name);
    if (shelf === undefined) {
      shelf = { name, byText: new Map(), at: this.shelves.length };
      this.shelves.push(shelf);
      this.shelfOf.set(name, shelf);
    }
    let rules = shelf.byText.get(text);
    if (rules === undefined) {
      rules = [];
      shelf.byText.set(text, rules);
    }
    return rules;
  }

  /** Takes away the place of a rule that was the last one there. */
  private tidy(rule: HeadersRule<D>, condition: number): void {
    const name = rule.names[condition] as HeaderName;
    const shelf = this.shelfOf.get(name) as Shelf<D>;
    shelf.byText.delete(textOf(rule.values[condition] as Field) as string);
    if (shelf.byText.size > 0) return;
    const last = this.shelves.pop() as Shelf<D>;
    if (last !== shelf) {
      this.shelves[shelf.at] = last;
      last.at = shelf.at;
    }
    this.shelfOf.delete(name);
  }
}

/** Returns whether a rule was met, or one had been before. */
function tryAll<D>(
  rules: readonly HeadersRule<D>[],
  message: RoutedMessage,
  matches: Matches<D>,
  matchedBefore: boolean,
): boolean {
  let matched = matchedBefore;
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[i] as HeadersRule<D>;
    // What another exchange has found already counts as a match here only if it is one.
    if (matched && matches.has(rule.destination)) continue;
    if (!isMet(rule, message)) continue;
    matched = true;
    matches.add(rule.destination);
  }
  return matched;
}

/** A field that can equal a text, as that text; any other as null. */
function textOf(field: Field): string | null {
  return field.type === 'S' || field.type === 'x' ? String(field.value) : null;
}
