// What must survive a reload or a flat battery: operations not yet acknowledged, and notes about the attempt.
// Without IndexedDB the same calls work in memory, and `durable` is false so that the page can say so.

const NAME = "examroom-exam";
const STRICT = { durability: "strict" };

export async function openStore() {
  try {
    return durableStore(await open());
  } catch (error) {
    return memoryStore();
  }
}

function open() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore("ops", { keyPath: ["attempt", "n"] });
      asked.result.createObjectStore("notes");
    };
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
    asked.onblocked = () => reject(new Error("blocked"));
  });
}

function durableStore(db) {
  function write(names, work) {
    return new Promise((resolve, reject) => {
      const transaction = db.transaction(names, "readwrite", STRICT);
      transaction.oncomplete = () => resolve();
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
      work(transaction);
    });
  }
  function read(name, work) {
    return new Promise((resolve, reject) => {
      const asked = work(db.transaction(name).objectStore(name));
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    });
  }
  db.onversionchange = () => db.close();
  return {
    durable: true,
    ops: (attempt) => read("ops", (s) => s.getAll(IDBKeyRange.bound([attempt, 0], [attempt, Infinity]))),
    everyOp: () => read("ops", (s) => s.getAll()),
    // The number it was kept under: its own, or the next free one when another page had used that.
    addOp: (op) => new Promise((resolve, reject) => {
      let n = op.n;
      const transaction = db.transaction(["ops"], "readwrite", STRICT);
      const ops = transaction.objectStore("ops");
      const taken = ops.openCursor(IDBKeyRange.bound([op.attempt, op.n], [op.attempt, Infinity]), "prev");
      taken.onsuccess = () => {
        if (taken.result) n = taken.result.value.n + 1;
        ops.add(Object.assign({}, op, { n }));
      };
      transaction.oncomplete = () => resolve(n);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    }),
    putOp: (op) => write(["ops"], (tx) => tx.objectStore("ops").put(op)),
    // One transaction: the acknowledged operation goes, its successor learns the version, the sequence moves on.
    settle: (gone, successor, key, note) => write(["ops", "notes"], (tx) => {
      tx.objectStore("ops").delete([gone.attempt, gone.n]);
      if (successor) tx.objectStore("ops").put(successor);
      if (key) tx.objectStore("notes").put(note, key);
    }),
    note: (key) => read("notes", (s) => s.get(key)),
    setNote: (key, value) => write(["notes"], (tx) => tx.objectStore("notes").put(value, key)),
    // Drops some notes and keeps one, in one transaction.
    dropNotes: (keys, key, note) => write(["notes"], (tx) => {
      for (const one of keys) tx.objectStore("notes").delete(one);
      if (key) tx.objectStore("notes").put(note, key);
    }),
  };
}

function memoryStore() {
  const ops = new Map();
  const notes = new Map();
  const key = (op) => op.attempt + "/" + op.n;
  const copy = (value) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));
  return {
    durable: false,
    ops: async (attempt) => Array.from(ops.values()).filter((op) => op.attempt === attempt).sort((a, b) => a.n - b.n).map(copy),
    everyOp: async () => Array.from(ops.values()).map(copy),
    addOp: async (op) => {
      ops.set(key(op), copy(op));
      return op.n;
    },
    putOp: async (op) => { ops.set(key(op), copy(op)); },
    settle: async (gone, successor, name, note) => {
      ops.delete(key(gone));
      if (successor) ops.set(key(successor), copy(successor));
      if (name) notes.set(name, copy(note));
    },
    note: async (name) => copy(notes.get(name)),
    setNote: async (name, value) => { notes.set(name, copy(value)); },
    dropNotes: async (names, name, note) => {
      for (const one of names) notes.delete(one);
      if (name) notes.set(name, copy(note));
    },
  };
}
