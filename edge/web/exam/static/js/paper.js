// The paper as this tablet knows it: items, what the room has, what is still on the way, flags and trouble.

// One step for each thing to answer: a case is as many steps as it has sub-items, all with its material.
function stepsOf(parts) {
  const steps = [];
  parts.forEach((part, index) => (part.items || []).forEach((item) => {
    if (item.type !== "case") steps.push(Object.assign({ part, partIndex: index, material: null }, item));
    else item.items.forEach((sub, at) => steps.push(Object.assign({ part, partIndex: index, material: item, first: at === 0, n: item.n + "." + (at + 1) }, sub)));
  }));
  return steps;
}

// `marks` = {flags, conflicts, late, rejected, grace, paused, noted, at, part, left}: what only this tablet knows; it is kept over a reload.
// `pending(id)`: its last operation that the room does not have; `where(op)`: where that is, as in queue.js.
export function createPaper(document_, marks, pending, where) {
  const items = stepsOf(document_.parts);
  const saved = Object.assign({}, document_.responses);
  const kept = Object.assign({ flags: {}, conflicts: {}, late: {}, rejected: {}, grace: {}, paused: {}, noted: {}, at: 0, part: null, left: {} }, marks);

  function value(id) {
    const queued = pending(id);
    if (queued) return queued.value;
    if (kept.conflicts[id]) return kept.conflicts[id];
    return saved[id] ? saved[id].value : [];
  }

  // "none" | "keeping" | "page" | "tablet" | "saved" | "grace" | "noted" | "conflict" | "late" | "paused" | "rejected"
  function state(id) {
    const queued = pending(id);
    if (queued) return queued.held ? "rejected" : where(queued);
    if (kept.conflicts[id]) return "conflict";
    if (kept.rejected[id]) return "rejected";
    if (kept.late[id]) return "late";
    if (kept.paused[id]) return "paused";
    if (kept.grace[id]) return "grace";
    if (kept.noted[id]) return "noted";
    return saved[id] && saved[id].value.length ? "saved" : "none";
  }

  const answered = (id) => value(id).length > 0;
  const clean = (id) => ["conflicts", "rejected", "late", "grace", "paused", "noted"].forEach((name) => delete kept[name][id]);
  return {
    items,
    parts: document_.parts,
    total: document_.parts.reduce((sum, part) => sum + (part.items || []).length, 0),
    limited: document_.parts.some((part) => part.minutes),
    saved,
    marks: kept,
    value,
    state,
    answered,
    savedValue: (id) => (saved[id] ? saved[id].value : []),
    savedAt: (id) => (saved[id] ? saved[id].at_ms : 0),
    flagged: (id) => Boolean(kept.flags[id]),
    needsAttention: (id) => ["conflict", "rejected", "late", "paused"].includes(state(id)),
    // Kept by the room for the proctor and not counted: too late, or in a pause.
    lateCount: () => Object.keys(kept.late).length + Object.keys(kept.paused).length,
    toggleFlag(id) {
      if (kept.flags[id]) delete kept.flags[id];
      else kept.flags[id] = true;
    },
    chosen: clean,
    // What the room said about an operation of item `id`.
    heard(op, reply, same, more) {
      delete kept.rejected[op.item]; // it went in at a later try
      const counts = reply.outcome === "applied" || same;
      const before = saved[op.item];
      const standing = counts ? op.value : reply.current || [];
      saved[op.item] = { version: reply.version, value: standing, at_ms: counts || !before ? reply.at_ms : before.at_ms };
      if (reply.outcome === "stale" && !same && !more) kept.conflicts[op.item] = op.value;
      if (reply.outcome === "late") kept[reply.flag === "paused" ? "paused" : "late"][op.item] = true;
      else if (reply.outcome === "applied" && reply.flag) kept.noted[op.item] = true;
      if (reply.grace) kept.grace[op.item] = true;
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
    languages() {
      const found = [];
      const look = (more) => Object.keys(more || {}).forEach((code) => found.includes(code) || found.push(code));
      for (const item of items) {
        look(item.stem_more);
        if (item.material) look(item.material.stem_more);
      }
      return found;
    },
  };
}
