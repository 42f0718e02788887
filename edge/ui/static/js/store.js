// Records that must survive a reload or a flat battery: IndexedDB, with all that this page wrote or read in memory too.
//
// No call here fails, and none waits long. Where there is no IndexedDB, or it fails in the middle of the work (full,
// closed or emptied by the browser, silent), the same calls go on in memory; what the database lacks is tried again until
// it is in. `durable()` and `where()` tell the page how it stands, so that it never says "kept" of what is not.

const STRICT = { durability: "strict" };
const TIMES = { first: 10000, patience: 4000, again: 3000 }; // ms to wait for it to open, for all else, and between two tries
const LATE = new Error("the database does not answer");

const idOf = (one) => one.name + JSON.stringify(one.key);

function within(ms, work) {
  let timer = 0;
  const late = new Promise((resolve, reject) => { timer = setTimeout(() => reject(LATE), ms); });
  const done = () => clearTimeout(timer);
  work.then(done, done);
  return Promise.race([work, late]);
}

function open(name, build, ms) {
  let late = false;
  const asked = new Promise((resolve, reject) => {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => build(opening.result);
    opening.onsuccess = () => (late ? opening.result.close() : resolve(opening.result));
    opening.onerror = () => reject(opening.error);
    opening.onblocked = () => reject(new Error("blocked"));
  });
  return within(ms, asked).catch((error) => {
    late = true;
    throw error;
  });
}

// One transaction: all of it or nothing.
function commit(db, entries) {
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(Array.from(new Set(entries.map((one) => one.name))), "readwrite", STRICT);
    transaction.oncomplete = () => resolve();
    transaction.onerror = transaction.onabort = (event) => reject(transaction.error || event.target.error);
    for (const one of entries) {
      const records = transaction.objectStore(one.name);
      if (one.value === undefined) records.delete(one.key);
      else if (one.add) one.add(records, one);
      else records.put(one.value, ...(records.keyPath ? [] : [one.key]));
    }
  });
}

function ask(db, name, work) {
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(name);
    const asked = work(transaction.objectStore(name));
    transaction.oncomplete = () => resolve(Array.isArray(asked) ? asked.map((one) => one.result) : asked.result);
    transaction.onerror = transaction.onabort = (event) => reject(transaction.error || event.target.error);
  });
}

// `build(db)` makes the object stores; `changed()`: durable() or what is held may be another than before.
// A record: {name: of its object store, key, value: undefined when it is deleted, mark: two forms with the same one say the
// same, add(records, record): in place of a put}.
export async function openRecords(name, build, changed, times = TIMES) {
  // The newest of each key. kept: the database says the same; failed: it has not this form of it; there: it has had one.
  const held = new Map();
  let db = null;
  let silent = false;
  let blind = false;
  let trying = false;
  let timer = 0;

  const lacking = () => Array.from(held.values()).filter((one) => one.failed);
  const durable = () => Boolean(db) && !silent && !blind && !lacking().length;

  function use(opened) {
    db = opened;
    db.onclose = db.onversionchange = () => lose(opened);
  }

  // The browser closed it, and may have emptied it: what this page knows goes in again.
  function lose(opened) {
    if (db !== opened) return;
    db = null;
    opened.close();
    for (const one of held.values()) Object.assign(one, { kept: false, failed: true });
    again(0);
    changed();
  }

  function suspect(error) {
    if (error === LATE) silent = true;
    else if (error && error.name === "InvalidStateError" && db) lose(db);
  }

  function stored(entries) {
    for (const one of entries) {
      const newest = held.get(one.id) === one;
      if (newest) held.delete(one.id);
      Object.assign(one, { id: idOf(one), kept: true, there: true, failed: false, add: null }); // `add` may have changed the key
      if (newest && one.value !== undefined) held.set(one.id, one);
    }
  }

  async function into(entries) {
    const to = db;
    try {
      // into one that was lost meanwhile: gone with it, for all this page can know
      await within(times.patience, commit(to, entries).then(() => db === to && stored(entries)));
      return db === to;
    } catch (error) {
      suspect(error);
      return false;
    }
  }

  // True when the database has them; false when they are in this page only, for now.
  async function write(entries) {
    for (const one of entries) {
      one.id = idOf(one);
      const before = held.get(one.id);
      one.kept = Boolean(before && before.kept && one.mark && before.mark === one.mark);
      one.there = Boolean(before && before.there);
      held.set(one.id, one);
    }
    if (db && !silent && (await into(entries))) return true;
    for (const one of entries) one.failed = true;
    again(times.again);
    changed();
    return false;
  }

  function again(ms) {
    if (timer && ms) return;
    clearTimeout(timer);
    timer = setTimeout(catchUp, ms);
  }

  async function catchUp() {
    timer = 0;
    if (trying) return;
    trying = true;
    try {
      if (!db) use(await open(name, build, times.patience));
      const opened = db;
      await within(times.patience, ask(opened, opened.objectStoreNames[0], (records) => records.count()));
      blind = silent = false;
      for (const one of lacking()) if (db === opened && !silent && one.failed && held.get(one.id) === one) await into([one]);
    } catch (error) {
      suspect(error);
    }
    trying = false;
    if (!durable()) again(times.again);
    changed();
  }

  // What the database says, or undefined.
  async function look(store, work) {
    try {
      if (db && !silent) return { found: await within(times.patience, ask(db, store, work)) };
    } catch (error) {
      suspect(error);
    }
    blind = true;
    again(times.again);
    changed();
    return undefined;
  }

  function remember(one) {
    one.id = idOf(one);
    if (one.value !== undefined && !held.has(one.id)) held.set(one.id, Object.assign(one, { kept: true, there: true }));
    return one;
  }

  async function get(store, key) {
    const id = idOf({ name: store, key });
    const before = held.get(id);
    if (before && before.failed) return before.value;
    const said = await look(store, (records) => records.get(key));
    if (said) remember({ name: store, key, value: said.found });
    const now = held.get(id);
    return said && !(now && now.failed) ? said.found : now && now.value;
  }

  // The records of one object store: `read(records)` gives a request or several, of whose result `recordsOf(result)` makes
  // records; `mine(key)`: whether a key would be among them.
  async function all(store, read, recordsOf, mine) {
    const said = await look(store, read);
    const found = new Map();
    for (const one of said ? recordsOf(said.found) : []) found.set(remember(one).id, one);
    for (const one of held.values()) {
      if (one.name !== store || !mine(one.key) || (said && !one.failed)) continue;
      if (one.value === undefined) found.delete(one.id);
      else found.set(one.id, one);
    }
    return Array.from(found.values());
  }

  try {
    use(await open(name, build, times.first));
  } catch (error) {
    again(times.again);
  }
  return {
    durable,
    // A read could not be made: the database may hold more than this page knows.
    blind: () => blind,
    write,
    get,
    all,
    // Where what this page knows under the key is: "tablet", on its way there ("keeping"), or in the "page" only.
    where(store, key) {
      const one = held.get(idOf({ name: store, key }));
      return one && one.kept ? "tablet" : one && !one.failed ? "keeping" : "page";
    },
    // Whether all that was to be deleted is.
    wiped: () => lacking().every((one) => one.value !== undefined || !one.there),
    // Another page goes on with them: only what the database lacks is this page's to put in.
    letGo() {
      for (const one of Array.from(held.values())) if (!one.failed) held.delete(one.id);
    },
  };
}
