// Owns the name of a header that routing asks for, ready to be looked for in a message.
// Never looks for it: the message does, and leaves here what it found.

import type { Field } from '../../../amqp/field-table.ts';

/**
 * Many bindings ask for the same header of a message. All of them hold the same HeaderName, so that a
 * message is searched once for each name and not for each binding.
 */
export class HeaderName {
  readonly text: string;
  readonly bytes: Buffer;
  /** The number of the message that `field` is of; belongs to the message, as `field` does. */
  foundIn = 0;
  /** What that message has under this name, or null. */
  field: Field | null = null;
  /** How many conditions hold this name; belongs to HeaderNames. */
  uses = 0;

  constructor(text: string) {
    this.text = text;
    this.bytes = Buffer.from(text);
  }
}

/** The names that the bindings of one exchange ask for, each once. */
export class HeaderNames {
  private readonly byText = new Map<string, HeaderName>();

  /** The one HeaderName of this text, for one more condition. */
  take(text: string): HeaderName {
    let name = this.byText.get(text);
    if (name === undefined) {
      name = new HeaderName(text);
      this.byText.set(text, name);
    }
    name.uses++;
    return name;
  }

  /** Lets go of a name that was taken. */
  release(name: HeaderName): void {
    name.uses--;
    if (name.uses === 0) this.byText.delete(name.text);
  }

  get size(): number {
    return this.byText.size;
  }
}
