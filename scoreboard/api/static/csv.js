// Tables in text: values with commas, semicolons or tabs between them, in quotes where they have to be.

const MARK = /^\ufeff/; // of UTF-8, which some programs write first
const SEPARATORS = [",", ";", "\t"];
const LONGEST = 131_072; // characters of a value, as in the command `import`
const whole = new Intl.NumberFormat();

/** Reads a text that comes in pieces. Lines before the first that begin with # are `comments`. Throws, with the
 * number of the line, when quotes are not closed, or not where a value ends. */
export class CsvReader {
  comments = [];
  separator = null; // known from the first line on
  #record = [];
  #value = "";
  #line = 1;
  #first = 1; // line of the record
  #isQuoted = false; // within quotes
  #wasQuoted = false; // behind the quote that may end the value, or be the first of two
  #held = ""; // of the first lines, until one is whole

  /** The records, lists of values, that end in this piece. */
  push(piece) {
    let text = piece;
    if (this.separator === null) {
      text = this.#afterComments(this.#held + piece);
      if (this.separator === null) return [];
    }
    const records = [];
    for (const character of text) this.#take(character, records);
    if (this.#value.length > LONGEST) {
      throw this.#wrong(`a value is longer than ${whole.format(LONGEST)} characters`);
    }
    return records;
  }

  /** The last record, if the text does not end with a line. */
  end() {
    const records = this.separator === null ? this.push("\n") : [];
    if (this.#isQuoted && !this.#wasQuoted) throw this.#wrong("a quote is never closed");
    if (this.#record.length || this.#value) this.#take("\n", records);
    return records;
  }

  #afterComments(text) {
    this.#held = text;
    const end = text.indexOf("\n");
    if (end < 0) return "";
    const line = text.slice(0, end).replace(MARK, "");
    const rest = text.slice(end + 1);
    if (line.startsWith("#") || line.trim() === "") {
      if (line.startsWith("#")) this.comments.push(line.slice(1).trim());
      this.#first = this.#line += 1;
      return this.#afterComments(rest);
    }
    const counts = SEPARATORS.map((one) => line.split(one).length);
    this.separator = SEPARATORS[counts.indexOf(Math.max(...counts))];
    return `${line}\n${rest}`;
  }

  // A quote opens a value, or is a character within one that has none before it.
  #take(character, records) {
    if (character === "\n") this.#line += 1;
    if (this.#isQuoted && !this.#wasQuoted) {
      if (character === '"') this.#wasQuoted = true;
      else this.#value += character;
    } else if (character === '"' && (this.#wasQuoted || this.#value === "")) {
      if (this.#wasQuoted) this.#value += character;
      this.#isQuoted = true;
      this.#wasQuoted = false;
    } else if (character === this.separator) this.#endValue();
    else if (character === "\n") this.#endRecord(records);
    else if (character !== "\r") this.#add(character);
  }

  #add(character) {
    if (this.#wasQuoted) throw this.#wrong("text follows a closed quote");
    this.#value += character;
  }

  #wrong(what) {
    return new Error(`In the row of line ${whole.format(this.#first)} ${what}.`);
  }

  #endValue() {
    this.#record.push(this.#value);
    this.#value = "";
    this.#isQuoted = this.#wasQuoted = false;
  }

  #endRecord(records) {
    this.#endValue();
    if (this.#record.length > 1 || this.#record[0]) records.push(this.#record);
    this.#record = [];
    this.#first = this.#line;
  }
}
