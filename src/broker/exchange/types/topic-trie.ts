// Owns the trie of topic patterns: which destinations have a pattern that matches a key.
// Never caches and never recurses: a match is one walk over the key's words.
//
//   bindings  stock.*.nyse -> q1     root --stock--> o --*--> o --nyse--> o [q1]
//             stock.#      -> q2                     +--#--> o [q2]   (stays put on any word)
//
// The walk keeps the set of nodes that the words so far can have led to, each node at most once, so
// its cost is bounded by words x nodes however many `#` the patterns hold. Wildcards that stand side by side
// are kept in one order, so that the ways to write the same pattern share their nodes.

import { assert } from '../../../util/assert.ts';
import type { Steps } from '../../turn/slices.ts';
import { DestinationList } from '../destination-list.ts';
import type { Matches } from '../exchange-router.ts';

const SEPARATOR = '.';
const ONE_WORD = '*';
const ANY_WORDS = '#';

/** A walk that looks at so many nodes takes a few milliseconds. */
export const LONG_WALK_NODES = 100_000;
/** Nodes between two moments at which others may have their turn. */
const NODES_PER_STEP = 2048;

class TrieNode<D> {
  /** The word or wildcard on the edge that leads here. */
  readonly word: string;
  readonly parent: TrieNode<D> | null;
  /** The child over the only literal word there has been, which most nodes have. */
  child: TrieNode<D> | null = null;
  /** All children by literal word, from the second on; null before. */
  children: Map<string, TrieNode<D>> | null = null;
  oneWord: TrieNode<D> | null = null;
  anyWords: TrieNode<D> | null = null;
  /** Destinations of the patterns that end here; null while there are none. */
  ending: DestinationList<D> | null = null;
  /** The last step of a walk that reached this node. */
  reachedAt = 0;

  constructor(word: string, parent: TrieNode<D> | null) {
    this.word = word;
    this.parent = parent;
  }
}

/** Patterns of words split at `.`, where `*` stands for one word and `#` for zero or more. */
export class TopicTrie<D> {
  private readonly root = new TrieNode<D>('', null);
  private nodes = 0;
  /** Counts the steps of all walks, so that marks of earlier steps need not be wiped. */
  private step = 0;
  /** The nodes a walk is at, and those it comes to next; only the first so many count. */
  private here: TrieNode<D>[] = [];
  private hereCount = 0;
  private next: TrieNode<D>[] = [];
  private nextCount = 0;

  /** How many nodes there are besides the root. */
  get size(): number {
    return this.nodes;
  }

  add(pattern: string, destination: D): void {
    let node = this.root;
    for (const word of wordsOf(pattern)) node = this.child(node, word) ?? this.grow(node, word);
    if (node.ending !== null) node.ending.add(destination);
    else node.ending = new DestinationList([destination]);
  }

  remove(pattern: string, destination: D): void {
    let node: TrieNode<D> | null = this.root;
    for (const word of wordsOf(pattern)) {
      node = this.child(node, word);
      assert(node !== null, 'a pattern to remove was added before');
    }
    assert(node.ending !== null, 'a pattern to remove was added before');
    node.ending.remove(destination);
    if (node.ending.empty) node.ending = null;
    this.prune(node);
  }

  /**
   * Adds to `matches` the destinations of every pattern that matches `key`. Returns whether the walk came to its
   * end: one that looks at more nodes than `nodesMax` is broken off, with nothing found.
   */
  match(key: string, matches: Matches<D>, nodesMax = Infinity): boolean {
    let nodesLeft = nodesMax;
    this.step++;
    this.nextCount = 0;
    this.reach(this.root);
    const start = key === '' ? 1 : 0;
    for (let from = start; from <= key.length && this.nextCount > 0; ) {
      const dot = key.indexOf(SEPARATOR, from);
      const to = dot < 0 ? key.length : dot;
      nodesLeft -= this.nextCount;
      if (nodesLeft < 0) return false;
      this.advance(key.slice(from, to));
      from = to + 1;
    }
    for (let i = 0; i < this.nextCount; i++) {
      const ending = (this.next[i] as TrieNode<D>).ending;
      if (ending !== null) ending.collect(matches);
    }
    return true;
  }

  /** The same for a walk that is `LONG_WALK_NODES` long or more, step by step. Patterns may change meanwhile. */
  *matching(key: string, matches: Matches<D>): Steps {
    let nodes = 0;
    // Other walks come in between, so that marks would mean nothing.
    let next = new Set<TrieNode<D>>();
    const reach = (node: TrieNode<D> | null): void => {
      for (let at = node; at !== null; at = at.anyWords) next.add(at);
    };
    reach(this.root);
    for (const word of key === '' ? [] : key.split(SEPARATOR)) {
      const here = next;
      next = new Set();
      for (const node of here) {
        reach(literal(node, word));
        reach(node.oneWord);
        if (node.word === ANY_WORDS) reach(node);
        nodes += 1;
        if (nodes % NODES_PER_STEP === 0) yield;
      }
    }
    for (const { ending } of next) {
      ending?.collect(matches);
      nodes += 1;
      if (nodes % NODES_PER_STEP === 0) yield;
    }
  }

  /** Takes the walk over one word. */
  private advance(word: string): void {
    const here = this.next;
    this.next = this.here;
    this.here = here;
    this.hereCount = this.nextCount;
    this.nextCount = 0;
    this.step++;
    for (let i = 0; i < this.hereCount; i++) {
      const node = here[i] as TrieNode<D>;
      const child = literal(node, word);
      if (child !== null) this.reach(child);
      if (node.oneWord !== null) this.reach(node.oneWord);
      if (node.word === ANY_WORDS) this.reach(node);
    }
  }

  /** Puts a node into the next set, and with it what `#` leads to over no word at all. */
  private reach(node: TrieNode<D>): void {
    for (let at: TrieNode<D> | null = node; at !== null; at = at.anyWords) {
      if (at.reachedAt === this.step) return;
      at.reachedAt = this.step;
      this.next[this.nextCount] = at;
      this.nextCount++;
    }
  }

  private child(node: TrieNode<D>, word: string): TrieNode<D> | null {
    if (word === ONE_WORD) return node.oneWord;
    if (word === ANY_WORDS) return node.anyWords;
    return literal(node, word);
  }

  private grow(parent: TrieNode<D>, word: string): TrieNode<D> {
    const node = new TrieNode<D>(word, parent);
    this.nodes++;
    if (word === ONE_WORD) parent.oneWord = node;
    else if (word === ANY_WORDS) parent.anyWords = node;
    else if (parent.children !== null) parent.children.set(word, node);
    else if (parent.child === null) parent.child = node;
    else {
      parent.children = new Map([
        [parent.child.word, parent.child],
        [word, node],
      ]);
      parent.child = null;
    }
    return node;
  }

  /** Cuts off the branch that ends at `node`, as far up as nothing else needs it. */
  private prune(node: TrieNode<D>): void {
    let at = node;
    while (at.parent !== null && isBare(at)) {
      const parent: TrieNode<D> = at.parent;
      if (at.word === ONE_WORD) parent.oneWord = null;
      else if (at.word === ANY_WORDS) parent.anyWords = null;
      else if (parent.child === at) parent.child = null;
      else {
        parent.children?.delete(at.word);
        if (parent.children?.size === 0) parent.children = null;
      }
      this.nodes--;
      at = parent;
    }
    if (at === node) return;
    // The sets of the last walk may hold nodes that were just cut off.
    this.here = [];
    this.next = [];
  }
}

/** The child over a literal word. No node is there over a wildcard, so a key's `*` finds none. */
function literal<D>(node: TrieNode<D>, word: string): TrieNode<D> | null {
  if (node.child !== null) return node.child.word === word ? node.child : null;
  if (node.children !== null) return node.children.get(word) ?? null;
  return null;
}

function isBare<D>(node: TrieNode<D>): boolean {
  return (
    node.ending === null &&
    node.child === null &&
    node.children === null &&
    node.oneWord === null &&
    node.anyWords === null
  );
}

/**
 * The words of a pattern: none in an empty one, as in RabbitMQ; `.` has two empty ones. Wildcards side by
 * side ask for a number of words, or for so many and more: each `*` comes first, and then one `#`.
 */
function wordsOf(pattern: string): string[] {
  if (pattern === '') return [];
  const words = pattern.split(SEPARATOR);
  if (!pattern.includes(ANY_WORDS)) return words;
  const kept: string[] = [];
  let any = false;
  for (const word of words) {
    if (word === ANY_WORDS) {
      any = true;
      continue;
    }
    if (any && word !== ONE_WORD) {
      kept.push(ANY_WORDS);
      any = false;
    }
    kept.push(word);
  }
  if (any) kept.push(ANY_WORDS);
  return kept;
}
