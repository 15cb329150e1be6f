// Standings from a file, CSV or lines of JSON, some rows at a time.

import { CsvReader } from "./csv.js";

const PIECE = 256 * 1024; // bytes of the file that are read at once
const ROWS = 1_000; // at most at once
const USER = ["user_id", "userId"];

/** The rows of the file, a thousand at most at once, with how many of its bytes were `read` by then. Throws when they
 * are none, or not for a board with these `settings`. */
export async function* standingsOf(file, settings) {
  let lines = null;
  let rows = [];
  let read = 0;
  for await (const text of textOf(file)) {
    read = Math.min(file.size, read + PIECE);
    lines ??= isJson(text) ? new JsonLines(settings) : new CsvLines(settings);
    for (const row of text === null ? lines.end() : lines.push(text)) {
      rows.push(row);
      if (rows.length === ROWS) {
        yield { rows, read };
        rows = [];
      }
    }
  }
  if (rows.length) yield { rows, read };
}

function isJson(text) {
  return text?.trimStart().startsWith("{");
}

class CsvLines {
  #settings;
  #reader = new CsvReader();
  #columns = null;

  constructor(settings) {
    this.#settings = settings;
  }

  push(text) {
    return this.#rowsOf(this.#reader.push(text));
  }

  end() {
    const rows = this.#rowsOf(this.#reader.end());
    if (!this.#columns) throw new Error("The file is empty.");
    return rows;
  }

  #rowsOf(records) {
    if (!this.#columns && records.length) {
      this.#columns = columnsOf(records.shift(), this.#reader, this.#settings);
    }
    return records.map((record) => rowOf(record, this.#columns));
  }
}

class JsonLines {
  #settings;
  #held = ""; // of a line, until it is whole
  #line = 0;
  #isFirst = true;

  constructor(settings) {
    this.#settings = settings;
  }

  push(text) {
    const lines = (this.#held + text).split("\n");
    this.#held = lines.pop();
    return lines.flatMap((line) => this.#rowOf(line));
  }

  end() {
    return this.#rowOf(this.#held);
  }

  /** The row of a line, as a list; none of an empty one, and of the head of an export. */
  #rowOf(line) {
    this.#line += 1;
    if (line.trim() === "") return [];
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    const found = parsed(line);
    if (isFirst && found?.snapshot !== undefined) {
      check(found.snapshot ?? {}, this.#settings);
      return [];
    }
    const userId = found?.userId ?? found?.user_id;
    if (typeof userId !== "string" || found.score === undefined) {
      throw new Error(`Line ${this.#line} is no object of JSON with userId and score.`);
    }
    return [{ userId, score: found.score }];
  }
}

/** What the line says, the score as it is written, since a number would not keep all its digits; null when it is no
 * JSON. */
function parsed(line) {
  try {
    return JSON.parse(line, (name, value, context) =>
      name === "score" ? (context?.source ?? JSON.stringify(value)) : value,
    );
  } catch {
    return null;
  }
}

function columnsOf(record, reader, settings) {
  for (const head of reader.comments.map(headIn)) check(head, settings);
  const user = record.findIndex((name) => USER.includes(name.trim()));
  const score = record.findIndex((name) => name.trim() === "score");
  if (user < 0 || score < 0) {
    throw new Error("The first line has to name the columns, user_id and score among them.");
  }
  for (const names of [USER, ["score"]]) {
    if (record.filter((name) => names.includes(name.trim())).length > 1) {
      throw new Error(`The first line names two columns ${names[0]}.`);
    }
  }
  const { separator } = reader;
  return { user, score, separator, width: record.length, comma: separator === "," ? "." : "," };
}

function headIn(comment) {
  try {
    return JSON.parse(comment) ?? {};
  } catch {
    return {};
  }
}

/** Throws when the file, by what its head says, is not for the board. */
function check({ what, order }, settings) {
  if (what && what !== "standings") throw new Error(`The file has ${what}, no standings.`);
  if (order && order !== settings.order) {
    throw new Error("What is better in the file is worse on this board.");
  }
}

function rowOf(record, { user, score, separator, width, comma }) {
  // A row of more values than columns has no number that can be told, such as 1,234.
  const isLonger = record.slice(width).some((value) => value.trim());
  const text = isLonger ? record.slice(score).join(separator) : (record[score] ?? "").trim();
  return { userId: record[user] ?? "", score: text.replace(comma, ".") };
}

/** The text of the file in pieces, and null behind the last. Throws when it is not UTF-8. */
async function* textOf(file) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for await (const bytes of bytesOf(file)) yield decoded(decoder, bytes);
  yield decoded(decoder);
  yield null;
}

function* bytesOf(file) {
  for (let at = 0; at < file.size; at += PIECE) yield file.slice(at, at + PIECE).arrayBuffer();
}

function decoded(decoder, bytes) {
  try {
    return decoder.decode(bytes, { stream: bytes !== undefined });
  } catch {
    throw new Error("The file is no text in UTF-8.");
  }
}
