// The room's clock on this tablet: asked within every two seconds, counted on in between without the tablet's own time
// of day.

const POLL_MS = 1500; // a changed limit is on the page within two seconds, half of one for the way there and back
const MISSES = 2;

// The room's time of day as this page last heard it, carried on by the steady clock; null before it was heard.
let heard = null;
export const roomNow = () => heard && heard.now + performance.now() - heard.at;
export function hearRoom(clock) {
  if (clock && typeof clock.now === "number") heard = { now: clock.now, at: performance.now() };
}

// deps: ask() -> {ok, status, body}; changed(clock); tick(); refused(body); reached(yes or no).
export function createClock(deps) {
  let known = { s: "waiting", left: null, v: null };
  let end = 0;
  let heardAt = 0;
  let misses = 0;
  let timer = 0;
  let asking = false;
  let running = false;
  let connected = true;

  function take(clock) {
    const before = known;
    known = clock;
    hearRoom(clock);
    heardAt = performance.now();
    end = clock.left === null || clock.left === undefined ? 0 : heardAt + clock.left;
    if (before.s !== clock.s || before.v !== clock.v || before.k !== clock.k) deps.changed(clock, before);
  }

  function left() {
    if (known.left === null || known.left === undefined) return null;
    return known.s === "running" ? Math.max(0, end - performance.now()) : known.left;
  }

  // {part index: ms left} of the parts with a limit of their own that have been opened.
  function parts() {
    const gone = known.s === "running" ? performance.now() - heardAt : 0;
    const found = {};
    for (const index of Object.keys(known.p || {})) found[index] = Math.max(0, known.p[index] - gone);
    return found;
  }

  async function poll() {
    clearTimeout(timer);
    if (!running || asking) return;
    asking = true;
    const result = await deps.ask();
    asking = false;
    if (!running) return;
    if (result.ok) take(result.body);
    else if (result.status === 401 || result.status === 403) deps.refused(result.body);
    misses = result.status === 0 || result.status >= 502 ? misses + 1 : 0;
    reach(misses < MISSES, misses === 0);
    timer = setTimeout(poll, document.hidden ? POLL_MS * 5 : POLL_MS);
  }

  function reach(yes, heard) {
    const changed = connected !== yes;
    connected = yes;
    if (changed || heard) deps.reached(yes, changed);
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
  window.addEventListener("online", poll);
  setInterval(() => { if (running) deps.tick(left()); }, 500);

  return {
    // `lost`: the room is known not to answer at the moment.
    start(lost) {
      if (lost) {
        misses = MISSES;
        connected = false;
      }
      if (!running) {
        running = true;
        poll();
      }
    },
    stop() {
      running = false;
      clearTimeout(timer);
    },
    take,
    left,
    parts,
    // How long to wait at the end before handing in, and how long answers given before it are still taken; null, 0: not said.
    jitter: () => (typeof known.j === "number" ? known.j : null),
    grace: () => known.g || 0,
    poll,
    state: () => known.s,
    connected: () => connected,
  };
}
