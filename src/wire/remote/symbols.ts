// Texts by number, for encoders that meet the same texts in request after request: a text is looked up once, later its number
// says all.

export class SymbolTable {
  readonly #numbers = new Map<string, number>();
  readonly texts: string[] = [];

  constructor() {
    this.clear();
  }

  numberOf(text: string): number {
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.texts.length;
      this.#numbers.set(text, number);
      this.texts.push(text);
    }
    return number;
  }

  numbersOf(texts: readonly string[]): Uint32Array {
    return Uint32Array.from(texts, (text) => this.numberOf(text));
  }

  /** All numbers lose their meaning but 0, which is always the empty text. */
  clear(): void {
    this.#numbers.clear();
    this.texts.length = 0;
    this.numberOf('');
  }
}
