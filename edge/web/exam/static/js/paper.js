// The paper as this tablet knows it: items, what the room has, what is still on the way, flags and trouble.

// `marks` = {flags, conflicts, late, rejected, at}: what only this tablet knows; it is kept over a reload.
export function createPaper(document_, marks, pending) {
  const items = [];
  for (const part of document_.parts) for (const item of part.items) items.push(Object.assign({ part }, item));
  const saved = Object.assign({}, document_.responses);
  const kept = Object.assign({ flags: {}, conflicts: {}, late: {}, rejected: {}, at: 0 }, marks);

  function value(id) {
    const queued = pending(id);
    if (queued) return queued.value;
    if (kept.conflicts[id]) return kept.conflicts[id];
    return saved[id] ? saved[id].value : [];
  }

  // "none" | "tablet" | "saved" | "conflict" | "late" | "rejected"
  function state(id) {
    if (pending(id)) return "tablet";
    if (kept.conflicts[id]) return "conflict";
    if (kept.rejected[id]) return "rejected";
    if (kept.late[id]) return "late";
    return saved[id] && saved[id].value.length ? "saved" : "none";
  }

  const answered = (id) => value(id).length > 0;
  return {
    items,
    saved,
    marks: kept,
    value,
    state,
    answered,
    savedValue: (id) => (saved[id] ? saved[id].value : []),
    savedAt: (id) => (saved[id] ? saved[id].at_ms : 0),
    flagged: (id) => Boolean(kept.flags[id]),
    needsAttention: (id) => ["conflict", "rejected", "late"].includes(state(id)),
    toggleFlag(id) {
      if (kept.flags[id]) delete kept.flags[id];
      else kept.flags[id] = true;
    },
    chosen(id) {
      delete kept.conflicts[id];
      delete kept.rejected[id];
      delete kept.late[id];
    },
    // What the room said about an operation of item `id`.
    heard(op, reply, same, more) {
      const standing = reply.outcome === "applied" || same ? op.value : reply.current || [];
      const before = saved[op.item];
      const at = reply.outcome === "applied" || same ? reply.at_ms : before ? before.at_ms : reply.at_ms;
      saved[op.item] = { version: reply.version, value: standing, at_ms: at };
      if (reply.outcome === "stale" && !same && !more) kept.conflicts[op.item] = op.value;
      if (reply.outcome === "late") kept.late[op.item] = true;
    },
    refused(op, failure) {
      kept.rejected[op.item] = failure;
    },
    // A fresh look at the room; answers on the way are newer and stay.
    learn(responses) {
      for (const id of Object.keys(responses)) saved[id] = responses[id];
    },
    counts() {
      const done = items.filter((item) => answered(item.id)).length;
      const flags = items.filter((item) => kept.flags[item.id]).length;
      return { total: items.length, answered: done, unanswered: items.length - done, flagged: flags };
    },
  };
}
