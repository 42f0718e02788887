// What must survive a reload or a flat battery: drafts, acts and sheets the room has not acknowledged, pictures to send.
// One list of keys and values. Nothing here fails: what the database does not take stays in this page, and `durable()`
// and `where()` say so (store.js).

import { openRecords } from "/ui/static/js/store.js";

const NAME = "examroom-scoring";
const record = (key, value) => ({ name: "kept", key, value });

// `changed()`: what is kept may be another than before. Writes resolve to whether the database has it.
export async function openStore(changed = () => {}, times) {
  const records = await openRecords(NAME, (db) => db.createObjectStore("kept"), changed, times);
  async function under(prefix) {
    const range = () => IDBKeyRange.bound(prefix, prefix + "\uffff");
    const found = await records.all("kept", (kept) => [kept.getAllKeys(range()), kept.getAll(range())],
      ([keys, values]) => keys.map((key, at) => record(key, values[at])), (key) => key.startsWith(prefix));
    return found.map(({ key, value }) => ({ key, value })).sort((a, b) => (a.key < b.key ? -1 : 1));
  }
  return {
    durable: records.durable,
    where: (key) => records.where("kept", key),
    put: (key, value) => records.write([record(key, value)]),
    drop: (key) => records.write([record(key)]),
    get: (key) => records.get("kept", key),
    under,
  };
}

export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => (byte + 256).toString(16).slice(1)).join("");
}
