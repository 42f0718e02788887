// Canonical JSON: one text for one value, without floats, integers below 2^53, nested at most 500 deep. The parser takes that text alone, so whatever it returns needs no second look.

import { byCodePoint, floatText, textOf, Wrong } from "./bytes.js";

const DEEPEST = 500;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const SHORT = { '"': '"', "\\": "\\", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

export class Float {
  // A number that is no integer: results carry points, nothing else may.
  constructor(value) {
    this.value = value;
  }

  toJSON() {
    return this.value;
  }
}

// The value whose canonical bytes are exactly `bytes`; throws otherwise. `floats`: points may be no integers.
export function strictJson(bytes, floats) {
  const reader = new Reader(textOf(bytes), floats === true);
  const value = reader.value(0);
  if (reader.at !== reader.text.length) reader.wrong();
  return value;
}

export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Float);
}

// Whether the object has exactly these keys.
export function hasKeys(value, keys) {
  return isObject(value) && Object.keys(value).length === keys.length && keys.every((key) => key in value);
}

class Reader {
  constructor(text, floats) {
    this.text = text;
    this.floats = floats;
    this.at = 0;
  }

  wrong() {
    throw new Wrong("not canonical JSON");
  }

  take(word) {
    if (!this.text.startsWith(word, this.at)) this.wrong();
    this.at += word.length;
  }

  value(depth) {
    const next = this.text[this.at];
    if (next === "{") return this.object(depth);
    if (next === "[") return this.array(depth);
    if (next === '"') return this.string();
    for (const [word, value] of [["true", true], ["false", false], ["null", null]]) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.number();
  }

  object(depth) {
    if (depth >= DEEPEST) this.wrong();
    const found = Object.create(null);
    let last = null;
    this.take("{");
    while (this.text[this.at] !== "}") {
      if (last !== null) this.take(",");
      const key = this.string();
      if (last !== null && byCodePoint(last, key) >= 0) this.wrong();
      last = key;
      this.take(":");
      found[key] = this.value(depth + 1);
    }
    this.at += 1;
    return found;
  }

  array(depth) {
    if (depth >= DEEPEST) this.wrong();
    const found = [];
    this.take("[");
    while (this.text[this.at] !== "]") {
      if (found.length) this.take(",");
      found.push(this.value(depth + 1));
    }
    this.at += 1;
    return found;
  }

  string() {
    let found = "";
    this.take('"');
    for (;;) {
      PLAIN.lastIndex = this.at;
      const plain = PLAIN.exec(this.text)[0];
      found += plain;
      this.at += plain.length;
      const stop = this.text[this.at];
      if (stop === '"') {
        this.at += 1;
        return found;
      }
      if (stop !== "\\") this.wrong();
      found += this.escape();
    }
  }

  escape() {
    const letter = this.text[this.at + 1];
    if (letter !== undefined && Object.prototype.hasOwnProperty.call(SHORT, letter)) {
      this.at += 2;
      return SHORT[letter];
    }
    const [whole, digits] = /^\\u(00[01][0-9a-f])/.exec(this.text.substr(this.at, 6)) || this.wrong();
    const character = String.fromCharCode(parseInt(digits, 16));
    if ("\b\f\n\r\t".includes(character)) this.wrong();
    this.at += whole.length;
    return character;
  }

  number() {
    const found = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?(e[+-][0-9]+)?/.exec(this.text.substr(this.at, 400));
    if (!found) this.wrong();
    const [text, , fraction, power] = found;
    this.at += text.length;
    const value = Number(text);
    if (fraction === undefined && power === undefined) {
      if (text === "-0" || !Number.isSafeInteger(value)) this.wrong();
      return value;
    }
    if (!this.floats || !Number.isFinite(value) || floatText(value) !== text) this.wrong();
    return new Float(value);
  }
}
