// Sheets begun and not yet signed: each is on this tablet at once and in the room as soon as it answers. The room keeps
// one version that stands; what this tablet sends too late is kept there beside it, and the examiner chooses.

import { newId } from "./idb.js";
import { tryAgain } from "./trying.js";

const RETRY_MS = 3000;
export const emptyContent = () => ({ marks: {}, vetoes: [], measured: {}, note: "", page: {} });

export function makeDrafts({ store, prefix, post, changed }) {
  const records = new Map();
  const timers = new Map();

  const keyOf = (person, rubric) => prefix + person + "/" + rubric;

  async function load() {
    for (const { key, value } of await store.under(prefix)) {
      value.pushing = false; // of a page that was cut off while it sent
      records.set(key, value);
      if (value.dirty || value.sent) push(key);
    }
    changed();
  }

  function find(person, rubric) {
    return records.get(keyOf(person, rubric)) || null;
  }

  function open(person, rubric) {
    const key = keyOf(person, rubric);
    if (!records.has(key)) records.set(key, { person, rubric, content: emptyContent(), base: 0, sent: null, dirty: false, saved_ms: 0, stale: null, held: "" });
    return records.get(key);
  }

  const keep = (key) => store.put(key, JSON.parse(JSON.stringify(records.get(key))));

  function change(person, rubric) {
    const key = keyOf(person, rubric);
    const record = open(person, rubric);
    record.dirty = true;
    record.held = "";
    keep(key).then(() => {
      changed();
      push(key);
    });
    changed();
  }

  // What the room has, taken over where nothing of this tablet's own is on its way.
  function adopt(person, rubric, draft, force = false) {
    const record = open(person, rubric);
    if (!force && (record.dirty || record.sent || record.stale)) return false;
    if (!draft || (!force && draft.version <= record.base)) return false;
    record.content = Object.assign(emptyContent(), draft.body);
    record.base = draft.version;
    record.saved_ms = draft.at_ms;
    record.dirty = false;
    record.sent = null;
    record.stale = null;
    keep(keyOf(person, rubric));
    changed();
    return true;
  }

  // After a choice or a take-over: this tablet's content over the version the room has now.
  function insist(person, rubric, base) {
    const record = open(person, rubric);
    record.base = base;
    record.stale = null;
    record.sent = null;
    change(person, rubric);
  }

  async function push(key) {
    const record = records.get(key);
    if (!record || record.pushing || record.stale || record.held) return;
    if (!record.sent && !record.dirty) return;
    clearTimeout(timers.get(key));
    record.pushing = true;
    if (!record.sent) {
      record.sent = { op_id: newId(), base: record.base, content: JSON.parse(JSON.stringify(record.content)) };
      record.dirty = false;
      await keep(key);
    }
    const sent = record.sent;
    let again = 0;
    try {
      const reply = await post("draft", { op_id: sent.op_id, person: record.person, rubric: record.rubric, base: sent.base, content: sent.content });
      if (record.sent === sent) record.sent = null;
      if (reply.outcome === "applied") {
        record.base = reply.version;
        record.saved_ms = reply.at_ms;
      } else {
        record.stale = { version: reply.version, elsewhere: reply.elsewhere };
      }
    } catch (failure) {
      if (tryAgain(failure)) again = RETRY_MS;
      else {
        record.sent = null;
        record.dirty = true;
        record.held = failure.message;
      }
    }
    record.pushing = false;
    if (!records.has(key)) return;
    await keep(key);
    changed();
    if (again) timers.set(key, setTimeout(() => push(key), again));
    else if (record.dirty) push(key);
  }

  async function drop(person, rubric) {
    const key = keyOf(person, rubric);
    records.delete(key);
    await store.drop(key);
    changed();
  }

  const unsaved = () => Array.from(records.values()).filter((one) => one.dirty || one.sent).length;
  const retry = () => Array.from(records.keys()).forEach(push);
  // "tablet" | "keeping" | "page"
  const where = (record) => store.where(keyOf(record.person, record.rubric));
  return { load, find, open, change, adopt, insist, drop, unsaved, retry, where };
}

// Where this draft is: "none", "room", or "here" alone.
export function whereIs(record) {
  if (!record) return "none";
  if (record.dirty || record.sent || record.stale || record.held) return "here";
  return record.saved_ms ? "room" : "none";
}
