// The room as a tablet meets it: the journal's rules, and a line that loses requests and replies.

window.random = (() => { let s = 7; return () => (s = (s * 16807) % 2147483647) / 2147483647; })();
window.makeRoom = () => ({ journal: new Map(), next: {}, answers: {}, handed: 0, bad: [], tablet: "t1", moved: false });
window.serve = (room, op, lossy) => {
  const drop = { outcome: "retry", failure: {} };
  if (lossy && random() < 0.3) return drop;
  if (op.sent.tablet !== room.tablet) return { outcome: "gone", failure: { error: "tablet_released" } };
  const seen = room.journal.get(op.op_id);
  const text = JSON.stringify([op.sent.tablet, op.sent.seq, op.item, op.value]);
  if (seen) {
    if (seen.text !== text) { room.bad.push(text); return { outcome: "resync", failure: { error: "op_id_reused" } }; }
    return lossy && random() < 0.3 ? drop : { outcome: "ok", reply: seen.reply };
  }
  const expected = (room.next[room.tablet] || 0) + 1;
  if (op.sent.seq !== expected) {
    room.bad.push("sequence " + op.sent.seq + " for " + expected);
    return { outcome: "resync", failure: { error: "sequence_wrong" } };
  }
  room.next[room.tablet] = expected;
  const now = room.answers[op.item] || { version: 0, value: [] };
  let reply;
  if (op.kind === "handin") { room.handed += 1; reply = { outcome: "applied", version: 1, at_ms: 1, answered: 0, of: 0 }; }
  else if (op.sent.base !== now.version) reply = { outcome: "stale", version: now.version, current: now.value, at_ms: 1 };
  else {
    room.answers[op.item] = { version: now.version + 1, value: op.value.slice(), at_ms: 1 };
    reply = { outcome: "applied", version: now.version + 1, current: op.value, at_ms: 1 };
  }
  room.journal.set(op.op_id, { text, reply });
  return lossy && random() < 0.3 ? drop : { outcome: "ok", reply };
};
window.makeTablet = async (room, options) => {
  const { createQueue, newId } = await import("/exam/static/js/queue.js");
  const { openStore } = await import("/exam/static/js/idb.js");
  const store = await openStore(() => {}, { first: options.patience || 5000, patience: options.patience || 5000, again: 20 });
  const heard = [];
  const queue = createQueue({
    store, newId, changed: () => {}, rejected: (op, f) => heard.push(["rejected", f]),
    handedIn: () => heard.push("handed in"), opened: () => {}, gone: (f) => heard.push(["gone", f.error]),
    acknowledged: (op, reply, same) => { heard.push([op.item, reply.outcome, same]); return {}; },
    refresh: async () => ({ tablet: room.tablet, next_seq: (room.next[room.tablet] || 0) + 1 }),
    send: async (op) => { await new Promise((r) => setTimeout(r, 1)); await options.gate; return options.dead ? new Promise(() => {}) : serve(room, op, options.lossy); },
  });
  const facts = { attempt: options.attempt, tablet: room.tablet, next_seq: (room.next[room.tablet] || 0) + 1, fresh: true };
  await queue.start(facts, JSON.parse(JSON.stringify(room.answers)));
  return { queue, heard, store };
};
window.settled = async (tablet) => {
  for (let i = 0; i < 4000 && !tablet.queue.empty(); i++) { tablet.queue.kick(); await new Promise((r) => setTimeout(r, 2)); }
  return tablet.queue.empty();
};
// The tablet's database fails in one way; what is returned mends it.
window.breakStore = (how) => {
  const fail = (name) => () => { throw new DOMException(name, name); };
  const never = () => ({ objectStore: () => new Proxy({}, { get: () => () => ({}) }) });
  const [of, names, instead] = {
    full: [IDBObjectStore.prototype, ["put", "add"], fail("QuotaExceededError")],
    closed: [IDBDatabase.prototype, ["transaction"], fail("InvalidStateError")],
    silent: [IDBDatabase.prototype, ["transaction"], never],
    unreadable: [IDBObjectStore.prototype, ["get", "getAll", "count"], fail("UnknownError")],
    refused: [IDBFactory.prototype, ["open"], fail("SecurityError")],
    unopened: [IDBFactory.prototype, ["open"], () => ({})],
  }[how];
  const before = names.map((name) => of[name]);
  for (const name of names) of[name] = instead;
  return () => names.forEach((name, at) => { of[name] = before[at]; });
};
window.until = async (test) => {
  for (let i = 0; i < 500 && !(await test()); i++) await new Promise((r) => setTimeout(r, 10));
  return test();
};
