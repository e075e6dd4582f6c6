// A JSON document in the text that its source gave: a value like any other, which is not an object.

/**
 * The value of a `json` column whose source sends JSON as text. It keeps spacing, the order and number of keys and every digit,
 * which a parsed value would lose; a destination with JSON columns stores the text. `parse()` gives plain values to look at.
 */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** What `JSON.parse` makes of it; numbers beyond 2^53 lose digits. A text that is no JSON is itself. */
  parse(): unknown {
    try {
      return JSON.parse(this.text);
    } catch {
      return this.text;
    }
  }

  /** So that `JSON.stringify` of a row has the document, not an object that holds it. */
  toJSON(): unknown {
    return this.parse();
  }
}
