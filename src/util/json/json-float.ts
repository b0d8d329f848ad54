// Owns the value that a whole float of JSON is read as. Never knows what it means.

/** A float that is whole, such as 1.0: as a number it could not be told from the integer. */
export class JsonFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }

  /** As JSON writes it. */
  toString(): string {
    const { value } = this;
    const digits = Object.is(value, -0) ? '-0' : String(value);
    return /[.e]/.test(digits) ? digits : `${digits}.0`;
  }

  /** JSON.stringify has no way to write it: json-writer.ts does. */
  toJSON(): never {
    throw new TypeError('a whole float is written by jsonText');
  }
}
