// What the verifier says: yes, or no with the part, the second and the entry, in both languages.

import { floatText } from "./bytes.js";
import { SENTENCES } from "./sentences.js";

const MOST = 50;
// Facts that are seconds with a fraction, whole or not.
const FLOATS = ["second", "covered_s"];

export function problem(reason, part, facts, more) {
  return Object.assign({ reason, part: part || null, second: null, seq: null, facts: facts || {} }, more);
}

export function verified(kind, facts) {
  return { ok: true, kind, reason: null, part: null, second: null, seq: null, facts, problems: [] };
}

export function refused(kind, problems) {
  const { reason, part, second, seq, facts } = problems[0];
  return { ok: false, kind, reason, part, second, seq, facts, problems: problems.slice(0, MOST) };
}

// The catalogue's sentence with its facts filled in; a missing fact shows as its name rather than failing.
export function sentence(code, language, facts) {
  const filled = (whole, name) => {
    if (!facts || !(name in facts)) return whole;
    const fact = facts[name];
    if (fact === null) return "None";
    return FLOATS.includes(name) && typeof fact === "number" ? floatText(fact) : String(fact);
  };
  return SENTENCES[code][language].replace(/\{(\w+)\}/g, filled);
}

export function said(verdict, language) {
  return sentence(verdict.reason || "verified_" + verdict.kind, language, verdict.facts);
}

// The same object as `examroom verify --json` prints.
export function asJson(verdict) {
  const both = (code, facts) => ({ zh: sentence(code, "zh", facts), en: sentence(code, "en", facts) });
  const problems = verdict.problems.map((one) => Object.assign({}, one, both(one.reason, one.facts)));
  return Object.assign({}, verdict, { zh: said(verdict, "zh"), en: said(verdict, "en"), problems });
}
