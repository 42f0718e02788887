// What must survive a reload or a flat battery: operations not yet acknowledged, and notes about the attempt.
// Nothing here fails: what the database does not take stays in this page, and `durable()` and `where()` say so (store.js).

import { openRecords } from "/ui/static/js/store.js";

const NAME = "examroom-exam";
const copy = (value) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));
const keyOf = (op) => [op.attempt, op.n];
const ofOp = (op, more) => Object.assign({ name: "ops", key: keyOf(op), value: copy(op), mark: op.op_id }, more);
const noOp = (op) => ({ name: "ops", key: keyOf(op) });
const ofNote = (key, value) => ({ name: "notes", key, value: copy(value) });

function build(db) {
  db.createObjectStore("ops", { keyPath: ["attempt", "n"] });
  db.createObjectStore("notes");
}

// A new operation takes the next free number where another page had used its own; later on it keeps the one it has.
function add(records, one) {
  if (one.failed) {
    records.add(one.value);
    return;
  }
  const taken = records.openCursor(IDBKeyRange.bound(one.key, [one.value.attempt, Infinity]), "prev");
  taken.onsuccess = () => {
    if (taken.result) one.value.n = taken.result.value.n + 1;
    one.key = keyOf(one.value);
    records.add(one.value);
  };
}

// `changed()`: what is kept may be another than before. Writes resolve to whether the database has it.
export async function openStore(changed = () => {}, times) {
  const records = await openRecords(NAME, build, changed, times);
  const inOrder = (found) => found.map((one) => copy(one.value)).sort((a, b) => (a.attempt < b.attempt ? -1 : a.attempt > b.attempt ? 1 : a.n - b.n));
  const ops = async (range, mine) => inOrder(await records.all("ops", (s) => s.getAll(range()), (found) => found.map((op) => ofOp(op)), mine));
  return {
    durable: records.durable,
    blind: records.blind,
    wiped: records.wiped,
    letGo: records.letGo,
    where: (op) => records.where("ops", keyOf(op)),
    ops: (attempt) => ops(() => IDBKeyRange.bound([attempt, 0], [attempt, Infinity]), (key) => key[0] === attempt),
    everyOp: () => ops(() => undefined, () => true),
    // The number it was kept under.
    async addOp(op) {
      const one = ofOp(op, { add });
      await records.write([one]);
      return one.value.n;
    },
    putOp: (op) => records.write([ofOp(op)]),
    // One transaction: the acknowledged operation goes, its successor learns the version, the sequence moves on.
    settle: (gone, successor, key, note) => records.write([noOp(gone)].concat(successor ? ofOp(successor) : [], key ? ofNote(key, note) : [])),
    note: async (key) => copy(await records.get("notes", key)),
    setNote: (key, value) => records.write([ofNote(key, value)]),
    // Drops some notes and keeps one, in one transaction.
    dropNotes: (keys, key, note) => records.write(keys.map((one) => ofNote(one)).concat(key ? ofNote(key, note) : [])),
  };
}
