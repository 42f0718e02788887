// The operations of one attempt, in order, until the room has each on disk.
//
// An operation: {attempt, n, op_id, kind: "answer"|"part"|"handin", item, value, base, made, room, sent, held}.
//   value: the answer; of a part the index it was opened by. made: when, by this tablet's clock; room: by the room's, null
//         on a page that had not heard of it yet.
//   base: the version of the item its author saw; null while an earlier operation of the same item is still queued,
//         whose acknowledgement brings it.
//   sent: {tablet, seq, base}, written down before the first try, and from then on nothing of it changes, so that a
//         repeat is the same operation. An operation not yet sent may still be replaced by a newer choice.
//   held: why the room refused it, though it should not have: it is kept, shown, and tried again now and then, while
//         those behind it go on. A newer choice takes its place.
// One is sent at a time. A sequence number is spent only by an acknowledgement, so the numbers have no holes.

import { roomNow } from "./clock.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15000;
const RESYNCS = 3;
const HELD_MS = 60000;
const LONGEST_AGE_MS = 604800000;

// deps: store (idb.js); send(op) -> {outcome: "ok", reply} | {outcome: "retry" | "resync" | "token" | "gone" | "rejected",
// failure, status}; refresh(failure) -> {tablet, next_seq} or throws; newId(); changed(); acknowledged(op, reply, same, more) -> what the
// room has now, to be kept with the sequence number; handedIn(reply); rejected(op, failure); gone(failure).
export function createQueue(deps) {
  const { store } = deps;
  let attempt = "";
  let tablet = "";
  let nextSeq = 1;
  let ops = [];
  let lastN = 0;
  const versions = new Map();
  let writing = Promise.resolve();
  let busy = false;
  let stopped = true;
  let timer = 0;
  let failures = 0;

  const noteKey = () => "room/" + attempt;
  const lastOf = (item) => {
    for (let i = ops.length - 1; i >= 0; i--) if (ops[i].kind === "answer" && ops[i].item === item) return ops[i];
    return null;
  };

  async function start(facts, responses) {
    attempt = facts.attempt;
    tablet = facts.tablet;
    ops = await store.ops(attempt);
    // Where the store could not be read there may be some of before: new ones are numbered far from theirs.
    lastN = ops.reduce((n, op) => Math.max(n, op.n), store.blind() ? Date.now() : 0);
    const noted = await store.note(noteKey());
    // The room knows best; without it (reload while offline) what was noted here is the same or newer than the copy.
    nextSeq = facts.fresh || !noted || noted.tablet !== tablet ? facts.next_seq : Math.max(noted.next, facts.next_seq);
    learn(responses);
    for (const op of ops) op.readyAt = 0;
    stopped = false;
    pump();
  }

  // A later look at the paper. Versions of items with queued operations are learned from acknowledgements instead.
  function learn(responses) {
    for (const item of Object.keys(responses)) versions.set(item, responses[item].version);
  }

  // The store keeps it or says that it cannot: what is answered goes to the room either way.
  function save(done) {
    writing = Promise.all([writing, done]);
    return done;
  }

  // A new operation's number: should another page have used it meanwhile, the next free one.
  async function add(op) {
    op.n = await save(store.addOp(plain(op)));
    lastN = Math.max(lastN, op.n);
  }

  async function put(item, value, delayMs) {
    const last = lastOf(item);
    if (last && !last.sent) {
      last.op_id = deps.newId();
      last.value = value;
      last.held = null;
      last.resyncs = 0;
      stamp(last, delayMs);
      await keep(save(store.putOp(plain(last))));
    } else {
      await append("answer", item, value, last ? null : versions.get(item) || 0, delayMs);
    }
    pump();
  }

  async function append(kind, item, value, base, delayMs) {
    const op = { attempt, n: ++lastN, op_id: deps.newId(), kind, item, value, base, sent: null, held: null, resyncs: 0 };
    stamp(op, delayMs);
    ops.push(op);
    await keep(add(op));
  }

  // The page says that an operation is on this tablet once it is, and not before.
  async function keep(written) {
    deps.changed();
    await written;
    deps.changed();
  }

  // All clocks: the steady one while this page lives, the room's over a reload, the tablet's own where there is no other.
  function stamp(op, delayMs) {
    op.made = Date.now();
    op.room = roomNow();
    op.madeAt = performance.now();
    op.readyAt = op.madeAt + delayMs;
  }

  async function openPart(index) {
    if (ops.some((op) => op.kind === "part" && op.value[0] === String(index))) return;
    await append("part", "", [String(index)], 0, 0);
    pump();
  }

  async function handIn() {
    if (ops.some((op) => op.kind === "handin")) return;
    for (const op of ops) if (!op.held) op.readyAt = 0;
    await append("handin", "", [], 0, 0);
    pump();
  }

  // True when the hand-in had not been sent yet and is withdrawn.
  async function withdrawHandIn() {
    const op = ops[ops.length - 1];
    if (!op || op.kind !== "handin" || op.sent) return false;
    ops.pop();
    await save(store.settle(plain(op), null, null, null));
    deps.changed();
    return true;
  }

  // The oldest that may go; of held ones only one whose time has come, or the next to come when there is nothing else.
  function due() {
    const now = performance.now();
    return ops.find((op) => !op.held || op.readyAt <= now) || ops.reduce((a, b) => (b.readyAt < a.readyAt ? b : a));
  }

  async function pump() {
    if (busy || stopped) return;
    busy = true;
    clearTimeout(timer);
    try {
      while (ops.length && !stopped) {
        const op = due();
        const early = op.sent ? 0 : op.readyAt - performance.now();
        if (early > 0) {
          timer = setTimeout(pump, early);
          return;
        }
        if (!op.sent) {
          op.sent = { tablet, seq: nextSeq, base: op.base };
          await save(store.putOp(plain(op)));
        } else if (op.sent.tablet !== tablet) {
          await renew(op);
          continue;
        }
        const answer = await deps.send(op);
        // Another page may have the operations by now; unacknowledged, they are sent again as they are.
        if (stopped) return;
        if (!(await settle(op, answer))) {
          const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * Math.pow(2, failures));
          failures += 1;
          timer = setTimeout(pump, wait * (0.75 + Math.random() / 2));
          return;
        }
      }
    } finally {
      busy = false;
    }
  }

  // True when the queue may go on at once, false to wait and try again.
  async function settle(op, answer) {
    if (answer.outcome === "ok") {
      failures = 0;
      await acknowledge(op, answer.reply);
      return true;
    }
    if (answer.outcome === "gone") {
      stopped = true;
      deps.gone(answer.failure);
      return true;
    }
    if (answer.outcome === "rejected" || (answer.outcome === "resync" && op.resyncs >= RESYNCS)) {
      if (op.kind === "answer" || answer.status === 400) await hold(op, answer.failure);
      else await reject(op, answer.failure);
      return true;
    }
    if (answer.outcome === "resync" || answer.outcome === "token") {
      try {
        const fresh = await deps.refresh(answer.failure);
        tablet = fresh.tablet;
        if (answer.outcome === "token") return false;
        nextSeq = fresh.next_seq;
        op.resyncs += 1;
        await renew(op);
        return true;
      } catch (failure) {
        return false;
      }
    }
    return false;
  }

  // The same choice as a new operation: the old one's number or tablet no longer holds. Its base stays what its author
  // saw: had the room taken the old one after all, this one comes back stale with the very same value, which is well.
  async function renew(op) {
    op.op_id = deps.newId();
    op.base = op.sent.base;
    op.sent = null;
    await save(store.putOp(plain(op)));
  }

  async function acknowledge(op, reply) {
    const same = reply.outcome === "stale" && equal(reply.current || [], op.value);
    const applied = isIn(reply) || same;
    nextSeq = op.sent.seq + 1;
    ops.splice(ops.indexOf(op), 1);
    let successor = null;
    if (op.kind === "answer") {
      versions.set(op.item, reply.version);
      successor = ops.find((other) => other.kind === "answer" && other.item === op.item && other.base === null) || null;
      // Behind a stale one the next was made without sight of the room's answer, too: it keeps the old base.
      if (successor) successor.base = applied ? reply.version : op.sent.base;
    }
    const note = { tablet, next: nextSeq, saved: deps.acknowledged(op, reply, same, successor !== null) };
    await save(store.settle(plain(op), successor && plain(successor), noteKey(), note));
    deps.changed();
    if (op.kind === "handin") deps.handedIn(reply);
    if (op.kind === "part") deps.opened(Number(op.value[0]), reply);
  }

  // Refused for no good reason: no answer is thrown away for that. Nothing of it is in the room, so it may go later.
  async function hold(op, failure) {
    const newer = ops.find((other) => other !== op && op.kind === "answer" && other.kind === "answer" && other.item === op.item && other.base === null);
    if (newer) {
      await reject(op, failure);
      return;
    }
    op.op_id = deps.newId();
    op.base = op.sent.base;
    op.sent = null;
    op.resyncs = 0;
    op.held = failure;
    op.readyAt = performance.now() + HELD_MS;
    await save(store.putOp(plain(op)));
    deps.rejected(op, failure);
    deps.changed();
  }

  async function reject(op, failure) {
    ops.splice(ops.indexOf(op), 1);
    const successor = ops.find((other) => other.kind === "answer" && other.item === op.item && other.base === null) || null;
    if (successor) successor.base = op.sent.base;
    await save(store.settle(plain(op), successor && plain(successor), null, null));
    deps.rejected(op, failure);
    deps.changed();
  }

  return {
    start,
    learn,
    put,
    handIn,
    openPart,
    withdrawHandIn,
    // Whatever waits for a pause in tapping goes now.
    flush() {
      for (const op of ops) if (!op.held) op.readyAt = 0;
      pump();
    },
    // The room answers again: no need to sit out the wait.
    kick() {
      if (failures) {
        failures = 0;
        pump();
      }
    },
    // Resolves when everything is in the store.
    stop() {
      stopped = true;
      clearTimeout(timer);
      return writing;
    },
    pending: (item) => lastOf(item),
    // "keeping" | "tablet" | "page"
    where: store.where,
    count: () => ops.filter((op) => op.kind === "answer").length,
    opening: () => ops.filter((op) => op.kind === "part").map((op) => Number(op.value[0])),
    handingIn: () => ops.some((op) => op.kind === "handin"),
    // Whether all that is on its way would outlive a reload.
    kept: () => ops.every((op) => store.where(op) !== "page"),
    unwanted: () => ops.filter((op) => op.held && op.kind === "answer").length,
    // Nothing is on its way; what is held stays.
    empty: () => ops.every((op) => op.held),
  };
}

function plain(op) {
  const { attempt, n, op_id, kind, item, value, base, made, room, sent, held, resyncs } = op;
  return { attempt, n, op_id, kind, item, value: value.slice(), base, made, room, sent: sent && Object.assign({}, sent), held: held || null, resyncs };
}

// Whether an operation counts: given in time, or before the end and taken in grace (reply.grace).
export const isIn = (reply) => reply.outcome === "applied";

// Values whose order means nothing are sorted when they are given, so that equal is equal.
export const equal = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// How long ago an operation was given, in ms. Over a reload the room's time of day says so; the tablet's own, which may
// have been set or have fallen back, only where that is not known. null: nothing can say, as when it runs backwards.
export function ageOf(op) {
  if (op.madeAt !== undefined) return bounded(performance.now() - op.madeAt);
  const byRoom = typeof op.room === "number" && roomNow() !== null ? roomNow() - op.room : -1;
  if (byRoom >= 0) return bounded(byRoom);
  const byTablet = typeof op.made === "number" ? Date.now() - op.made : -1;
  return byTablet < 0 ? null : bounded(byTablet);
}

const bounded = (age) => Math.min(LONGEST_AGE_MS, Math.max(0, Math.round(age)));

// A random UUID; crypto.randomUUID is missing on old tablets and on pages without HTTPS.
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => (byte < 16 ? "0" : "") + byte.toString(16)).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
