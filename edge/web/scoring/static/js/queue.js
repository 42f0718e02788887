// Acts the room has to know of (calls, the clock, finished steps), sent one after the other in the order they happened.
// Each is kept on the tablet until the room has it; sent again it carries the same op id and is done once. One that the
// room refused is kept too, with the reason, while those behind it go on.

import { newId } from "./idb.js";
import { reasonOf, tryAgain } from "./trying.js";

const RETRY_MS = 3000;
const LOAD = newId();

// `post(path, body)` as postJSON; `told(op, reply)` after an answer, `refused(op, failure)` when the room says no;
// `roomNow()`: the room's time of day, null while this page has not heard it.
export function makeQueue({ store, prefix, post, told, refused, changed, roomNow }) {
  let ops = [];
  let busy = false;
  let timer = 0;
  let lastN = 0;

  // Sent by the first `flush`, once the room's time is known.
  async function load() {
    const found = await store.under(prefix);
    ops = found.map((one) => one.value);
    lastN = ops.reduce((most, op) => Math.max(most, op.n), 0);
    changed();
  }

  const keyOf = (op) => prefix + ("000000000" + op.n).slice(-9);
  const next = () => ops.find((op) => !op.refused);

  // `ago`: how long ago it happened already, in ms.
  async function add(path, body, ago = 0) {
    lastN += 1;
    const room = roomNow();
    const op = { n: lastN, op_id: newId(), path, body, made: Date.now() - ago, room: room && room - ago, mono: performance.now() - ago, load: LOAD, refused: null };
    ops.push(op);
    changed();
    await store.put(keyOf(op), op);
    flush();
    return op;
  }

  // By the clock of durations within one load of the page; after a reload by the room's time of day, and by the tablet's
  // own only where that is not known.
  const gone = (op) => (op.load === LOAD ? performance.now() - op.mono : op.room && roomNow() ? roomNow() - op.room : Date.now() - op.made);
  const age = (op) => Math.max(0, Math.round(gone(op)));

  async function flush() {
    clearTimeout(timer);
    if (busy) return;
    busy = true;
    try {
      for (let op = next(); op; op = next()) {
        try {
          const reply = await post(op.path, Object.assign({ op_id: op.op_id, ago_ms: age(op) }, op.body));
          ops.splice(ops.indexOf(op), 1);
          await store.drop(keyOf(op));
          told(op, reply);
        } catch (failure) {
          if (tryAgain(failure)) {
            timer = setTimeout(flush, RETRY_MS);
            break;
          }
          op.refused = reasonOf(failure);
          await store.put(keyOf(op), op);
          refused(op, failure);
        }
        changed();
      }
    } finally {
      busy = false;
      changed();
    }
  }

  // As it was: the room believes how long ago it happened, or does it now.
  async function retry(op) {
    op.refused = null;
    changed();
    await store.put(keyOf(op), op);
    await flush();
  }

  async function discard(op) {
    ops = ops.filter((other) => other !== op);
    await store.drop(keyOf(op));
    changed();
  }

  const waiting = (test) => ops.filter((op) => !op.refused && (!test || test(op))).length;
  return { load, add, flush, retry, discard, waiting, refused: () => ops.filter((op) => op.refused) };
}
