// Owns reading one item of a file of definitions: its fields, and errors that name the item. Never
// knows which items there are: read.ts does.

import { AmqpError } from '../../amqp/errors.ts';
import {
  isObject,
  type JsonObject,
  type JsonValue,
  objectOf,
  wordOf,
} from '../../util/json/json.ts';
import { isShort, SHORT_BYTES_MAX } from '../../util/limits.ts';
import { PatternError } from '../../util/pattern/pattern.ts';
import { Refusal } from '../errors.ts';

/** A refusal that says which item it is about. */
export class ItemRefusal extends Refusal {
  /** The item, as texts name it. */
  readonly place: string;
  /** What is wrong with it, in one line without the item's name. */
  readonly what: string;
  /** What is wrong as the rule that refused it has said it. */
  readonly original: string;
  /** Whether it is wrong only because another item of the same file is. */
  readonly consequence: boolean;

  constructor(place: string, original: string, consequence: boolean) {
    const what = original.replaceAll(/\s*\n\s*/g, ' ').trim();
    super('invalid', `${place}: ${what}`);
    this.place = place;
    this.what = what;
    this.original = original;
    this.consequence = consequence;
  }
}

/** One object of one of the lists. */
export class Item {
  private readonly place: string;
  private readonly json: JsonObject;

  constructor(place: string, json: JsonValue) {
    this.place = place;
    this.json = isObject(json) ? json : {};
    if (!isObject(json)) throw this.refusal('it must be an object');
  }

  /** A field as it is; undefined: it is not there. */
  raw(key: string): JsonValue | undefined {
    return this.json[key];
  }

  /** A text that must be there, unless there is another to take for it. */
  text(key: string, otherwise?: string): string {
    const value = this.json[key] ?? otherwise;
    if (typeof value === 'string') return value;
    throw this.refusal(value === undefined ? `'${key}' is missing` : `'${key}' must be a string`);
  }

  /** A text that fits into a short string of AMQP. */
  shortText(key: string, otherwise?: string): string {
    const value = this.text(key, otherwise);
    if (isShort(value)) return value;
    throw this.refusal(`'${key}' is longer than ${SHORT_BYTES_MAX} bytes`);
  }

  /** A boolean, and what one that is not there stands for. */
  flag(key: string, otherwise = false): boolean {
    const value = this.json[key] ?? otherwise;
    if (typeof value === 'boolean') return value;
    throw this.refusal(`'${key}' must be true or false`);
  }

  /** Words as an array or with commas between them. */
  words(key: string): string[] {
    const value = this.json[key] ?? [];
    if (typeof value === 'string') {
      return value.split(',').flatMap((word) => (word.trim() === '' ? [] : [word.trim()]));
    }
    // RabbitMQ takes and exports tags without a letter.
    if (Array.isArray(value) && value.every((word) => typeof word === 'string')) {
      return value.filter((word) => word !== '');
    }
    throw this.refusal(`'${key}' must be strings in an array, or with commas between them`);
  }

  /** An object, or the pairs that rabbitmqctl writes instead; one that is not there is empty. */
  object(key: string): JsonObject {
    const value = objectOf(this.json[key] ?? {});
    if (value === null) throw this.refusal(`'${key}' must be an object`);
    return value;
  }

  /** The object of a field as part of this item. */
  part(key: string): Item {
    return new Item(this.describe(), this.object(key));
  }

  /** What `run` returns; what it throws about the item, with the item's name. */
  attempt<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (error instanceof ItemRefusal) throw error;
      if (error instanceof AmqpError || error instanceof Refusal || error instanceof PatternError) {
        throw this.refusal(error instanceof AmqpError ? error.explanation : error.message);
      }
      throw error;
    }
  }

  /** The error for this item; `consequence`: it is wrong only because another item is. */
  refusal(what: string, consequence = false): ItemRefusal {
    return new ItemRefusal(this.describe(), what, consequence);
  }

  /** The item as errors and warnings name it: `queues[2] 'jobs' in vhost '/'`. */
  describe(): string {
    const { name, user, exchange, source, destination, vhost } = this.json;
    let what = this.place;
    if (name !== undefined) what += ` '${wordOf(name)}'`;
    if (user !== undefined) what += ` of user '${wordOf(user)}'`;
    if (source !== undefined) what += ` from '${wordOf(source)}' to '${wordOf(destination)}'`;
    if (exchange !== undefined) what += ` for exchange '${wordOf(exchange)}'`;
    return vhost === undefined ? what : `${what} in vhost '${wordOf(vhost)}'`;
  }
}
