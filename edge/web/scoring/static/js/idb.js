// What must survive a reload or a flat battery: drafts, acts and sheets the room has not acknowledged, pictures to send.
// One list of keys and values; without IndexedDB the same calls work in memory, and `durable` is false.

const NAME = "examroom-scoring";
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
    asked.onupgradeneeded = () => asked.result.createObjectStore("kept");
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
    asked.onblocked = () => reject(new Error("blocked"));
  });
}

function durableStore(db) {
  db.onversionchange = () => db.close();
  const write = (work) => new Promise((resolve, reject) => {
    const transaction = db.transaction(["kept"], "readwrite", STRICT);
    transaction.oncomplete = () => resolve();
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
    work(transaction.objectStore("kept"));
  });
  return {
    durable: true,
    put: (key, value) => write((kept) => kept.put(value, key)),
    drop: (key) => write((kept) => kept.delete(key)),
    get: (key) => new Promise((resolve, reject) => {
      const asked = db.transaction("kept").objectStore("kept").get(key);
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    }),
    under: (prefix) => new Promise((resolve, reject) => {
      const found = [];
      const asked = db.transaction("kept").objectStore("kept").openCursor(IDBKeyRange.bound(prefix, prefix + "\uffff"));
      asked.onsuccess = () => {
        if (!asked.result) {
          resolve(found);
          return;
        }
        found.push({ key: asked.result.key, value: asked.result.value });
        asked.result.continue();
      };
      asked.onerror = () => reject(asked.error);
    }),
  };
}

function memoryStore() {
  const kept = new Map();
  return {
    durable: false,
    put: async (key, value) => { kept.set(key, value); },
    drop: async (key) => { kept.delete(key); },
    get: async (key) => kept.get(key),
    under: async (prefix) => Array.from(kept.keys()).filter((key) => key.startsWith(prefix)).sort().map((key) => ({ key, value: kept.get(key) })),
  };
}

export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => (byte + 256).toString(16).slice(1)).join("");
}
