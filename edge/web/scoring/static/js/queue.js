// Acts the room has to know of (calls, the clock, finished steps), sent one after the other in the order they happened.
// Each is kept on the tablet until the room has answered; sent again it carries the same op id and is done once.

import { newId } from "./idb.js";

const RETRY_MS = 3000;
const LOAD = newId();

// `post(path, body)` as postJSON; `told(op, reply)` after an answer, `refused(op, failure)` when the room says no.
export function makeQueue({ store, prefix, post, told, refused, changed }) {
  let ops = [];
  let busy = false;
  let timer = 0;
  let lastN = 0;
  let offline = false;

  async function load() {
    const found = await store.under(prefix);
    ops = found.map((one) => one.value);
    lastN = ops.reduce((most, op) => Math.max(most, op.n), 0);
    changed();
    flush();
  }

  const keyOf = (op) => prefix + ("000000000" + op.n).slice(-9);

  async function add(path, body) {
    lastN += 1;
    const op = { n: lastN, op_id: newId(), path, body, made: Date.now(), mono: performance.now(), load: LOAD };
    ops.push(op);
    changed();
    await store.put(keyOf(op), op);
    flush();
    return op;
  }

  // By the clock of durations within one load of the page; after a reload the wall clock has to do.
  const age = (op) => Math.max(0, Math.round(op.load === LOAD ? performance.now() - op.mono : Date.now() - op.made));

  async function flush() {
    clearTimeout(timer);
    if (busy) return;
    busy = true;
    try {
      while (ops.length) {
        const op = ops[0];
        let reply = null;
        let failure = null;
        try {
          reply = await post(op.path, Object.assign({ op_id: op.op_id, ago_ms: age(op) }, op.body));
        } catch (error) {
          failure = error;
        }
        if (failure && (failure.offline || failure.status >= 500 || failure.status === 429 || failure.status === 401)) {
          offline = true;
          timer = setTimeout(flush, RETRY_MS);
          break;
        }
        offline = false;
        ops.shift();
        await store.drop(keyOf(op));
        if (failure) refused(op, failure);
        else told(op, reply);
        changed();
      }
    } finally {
      busy = false;
      changed();
    }
  }

  return { load, add, flush, waiting: (test) => ops.filter(test || (() => true)).length, offline: () => offline };
}
