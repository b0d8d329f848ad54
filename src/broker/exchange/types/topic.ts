// Owns routing by patterns of words (§3.1.3.3): the type `topic`, and the cache of its answers.
// Never reads the message: a topic exchange looks at the routing key alone. The trie is next door.

import type { Steps } from '../../turn/slices.ts';
import type { Binding } from '../binding.ts';
import type { ExchangeRouter, Matches, RoutedMessage } from '../exchange-router.ts';
import { TopicTrie } from './topic-trie.ts';

/**
 * How many references one generation of the cache holds: one for each key and one for each
 * destination of a key. Two generations are kept, so a topic exchange that sees keys without end
 * spends up to ten MiB on them.
 */
const TOPIC_CACHE_REFERENCES = 32_768;

/** The answer for keys that nothing matches, so that they cost no more than their keys. */
const NOWHERE: readonly never[] = [];

/**
 * A message goes to every destination that has a binding whose pattern matches the routing key.
 *
 * Publishers repeat their keys, so answers are remembered, in two generations: a key met again moves
 * to the young one; when that is full, the old one is dropped whole and the young one takes its
 * place. Any change of the bindings drops both.
 */
export class TopicRouter<D> implements ExchangeRouter<D> {
  private readonly trie = new TopicTrie<D>();
  private readonly cacheReferences: number;
  private young = new Map<string, readonly D[]>();
  private old = new Map<string, readonly D[]>();
  private youngReferences = 0;
  /** Counts the changes of the bindings. */
  private changes = 0;

  constructor(cacheReferences = TOPIC_CACHE_REFERENCES) {
    this.cacheReferences = cacheReferences;
  }

  add(binding: Binding<D>): void {
    this.trie.add(binding.bindingKey, binding.destination);
    this.forget();
  }

  remove(binding: Binding<D>): void {
    this.trie.remove(binding.bindingKey, binding.destination);
    this.forget();
  }

  route(routingKey: string, _message: RoutedMessage, matches: Matches<D>): boolean {
    const known = this.young.get(routingKey) ?? this.recall(routingKey);
    for (let i = 0; i < known.length; i++) matches.add(known[i] as D);
    return known.length > 0;
  }

  longWalk(routingKey: string, nodesMax: number): Steps | null {
    if (this.young.has(routingKey) || this.old.has(routingKey)) return null;
    const matched = new Set<D>();
    if (!this.trie.match(routingKey, matched, nodesMax)) return this.walking(routingKey);
    this.remember(routingKey, matched);
    return null;
  }

  private *walking(routingKey: string): Steps {
    const { changes } = this;
    const matched = new Set<D>();
    yield* this.trie.matching(routingKey, matched);
    if (changes === this.changes) this.remember(routingKey, matched);
  }

  /** How many nodes the trie has besides its root; zero when all bindings are gone. */
  get size(): number {
    return this.trie.size;
  }

  /** The answer for a key that is not in the young generation. */
  private recall(routingKey: string): readonly D[] {
    const answer = this.old.get(routingKey);
    if (answer !== undefined) return this.keep(routingKey, answer);
    const matched = new Set<D>();
    this.trie.match(routingKey, matched);
    return this.remember(routingKey, matched);
  }

  private remember(routingKey: string, matched: ReadonlySet<D>): readonly D[] {
    return this.keep(routingKey, matched.size === 0 ? NOWHERE : [...matched]);
  }

  /** Puts an answer into the young generation, if it fits. */
  private keep(routingKey: string, answer: readonly D[]): readonly D[] {
    const references = answer.length + 1;
    if (references > this.cacheReferences) return answer;
    if (this.youngReferences + references > this.cacheReferences) {
      this.old = this.young;
      this.young = new Map();
      this.youngReferences = 0;
    }
    this.young.set(routingKey, answer);
    this.youngReferences += references;
    return answer;
  }

  private forget(): void {
    this.changes += 1;
    if (this.young.size > 0) this.young = new Map();
    if (this.old.size > 0) this.old = new Map();
    this.youngReferences = 0;
  }
}
