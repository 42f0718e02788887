// Feeds one <video> through Media Source Extensions: whole fragments as they were recorded, each at its own wall time,
// so that a gap stays a gap and all cameras share one clock. Nothing is decoded or encoded anew by the room. Sound goes
// to an element of its own (sound.js).

import { createVoice } from "./sound.js";
import { delayOf, only, tracksOf } from "./tracks.js";

const MOST_BYTES = 1500000; // of one request, so that another seek does not wait long
const AHEAD_S = 12; // fetched ahead at 1x; more where it plays faster
const AHEAD_MOST_S = 60;
const AHEAD_BYTES = 32000000;
const KEEP_S = 40; // behind and, four times as much, ahead; a slow laptop has little memory
const JOIN_MS = 250; // fragments nearer than this are one stretch
const AGAIN_MS = 2000;
const TRIES = 2;
const PATIENCE = 3;

export function playable() {
  return Boolean(window.MediaSource && window.MediaSource.isTypeSupported);
}

// The profile and level of the video as a type for the browser, from the avcC box of a segment's beginning.
export function codecOf(head) {
  const bytes = new Uint8Array(head);
  for (let n = 0; n + 8 < bytes.length; n += 1) {
    if (bytes[n] === 0x61 && bytes[n + 1] === 0x76 && bytes[n + 2] === 0x63 && bytes[n + 3] === 0x43) {
      const hex = [bytes[n + 5], bytes[n + 6], bytes[n + 7]].map((one) => (one < 16 ? "0" : "") + one.toString(16));
      return 'video/mp4; codecs="avc1.' + hex.join("") + '"';
    }
  }
  return "";
}

// What is played of files of fragments, in the order of their times. Where the clock was set back and shows a time
// twice, `take` says which of them is preferred.
export function sequenceOf(files, take) {
  const rows = [];
  for (const file of files) {
    for (const [offset, length, from, duration, key] of file.fragments) {
      rows.push({ file, offset, length, from, until: from + duration, end: from + duration, key: key === 1, tries: 0 });
    }
  }
  rows.sort((a, b) => a.from - b.from || a.file.take - b.file.take);
  const chosen = [];
  for (const row of rows) {
    const last = chosen[chosen.length - 1];
    if (!last || row.from >= last.until - JOIN_MS || row.file.take === last.file.take) chosen.push(row);
    else if (row.file.take === take) {
      while (chosen.length && chosen[chosen.length - 1].until > row.from + JOIN_MS && chosen[chosen.length - 1].file.take !== take) chosen.pop();
      chosen.push(row);
    }
  }
  chosen.forEach((row, n) => {
    const next = chosen[n + 1];
    if (next && next.from > row.until && next.from - row.until <= JOIN_MS) row.end = next.from;
  });
  return chosen;
}

// `audio` is for the sound, if there is any; `address(segment)` is where the bytes are, `zero` the wall time of the
// video's 0, `length` its seconds;
// `trouble(response or null, error)` is told what could not be fetched, and with two nulls that it is over.
export function createFeed(video, audio, { rows, address, zero, length, trouble }) {
  const media = new MediaSource();
  const link = URL.createObjectURL(media);
  let buffer = null;
  let voice = null;
  let type = "";
  let begun = null; // the file whose beginning was appended last
  let busy = false;
  let closed = false;
  let quiet = 0; // until when nothing is asked for, after a failure
  let failures = 0; // one after another; a moment's are nobody's business
  let stop = null;
  let run = [0, -1];
  let tail = -1; // the row that was appended last
  const opened = new Promise((done) => media.addEventListener("sourceopen", done, { once: true })).then(() => {
    URL.revokeObjectURL(link);
    if (!closed) media.duration = length;
  });
  video.src = link;

  const seconds = (ms) => (ms - zero) / 1000;

  function holds(second) {
    const ranges = video.buffered;
    for (let n = 0; n < ranges.length; n += 1) if (ranges.start(n) <= second && second < ranges.end(n)) return true;
    return false;
  }

  function there(row) {
    const length = row.until - row.from;
    return [0.1, 0.5, 0.9].every((part) => holds(seconds(row.from + length * part)));
  }

  // The first row that ends after `at`.
  function indexAt(at) {
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].end > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  async function get(file, from, to) {
    stop = new AbortController();
    const headers = { Range: "bytes=" + from + "-" + (to - 1), Accept: "application/json" };
    const response = await fetch(address(file.segment), { headers, credentials: "same-origin", cache: "no-store", signal: stop.signal });
    if (!response.ok) throw response;
    const data = await response.arrayBuffer();
    return response.status === 200 ? data.slice(from, to) : data;
  }

  function settled() {
    return new Promise((done, fail) => {
      const end = (work) => () => { buffer.onupdateend = buffer.onerror = null; work(); };
      buffer.onupdateend = end(done);
      buffer.onerror = end(() => fail(new Error("append")));
    });
  }

  async function put(data) {
    try {
      buffer.appendBuffer(data);
    } catch (error) {
      if (error.name !== "QuotaExceededError") throw error;
      const here = video.currentTime;
      for (const [from, to] of [[0, here - 5], [here + AHEAD_S, length]]) {
        if (to > from && from >= 0) {
          buffer.remove(from, to);
          await settled();
        }
      }
      buffer.appendBuffer(data);
    }
    await settled();
  }

  async function append(file, data) {
    await opened;
    const wanted = codecOf(file.head);
    if (closed) return;
    if (!buffer) {
      if (!wanted || !MediaSource.isTypeSupported(wanted)) throw new Error("codec");
      buffer = media.addSourceBuffer(wanted);
      type = wanted;
    }
    if (begun !== file) {
      if (wanted !== type && buffer.changeType) buffer.changeType(wanted);
      type = wanted;
      if (!file.tracks) file.tracks = tracksOf(file.head);
      await put(only("vide", file.tracks, file.head));
      begun = file;
    }
    if (closed) return;
    // a file's own time is that of decoding; where pictures are put in another order, all of it is shown so much later,
    // and a key frame would miss the moment that its fragment says it is of. A run begins with a key frame, or goes on.
    if (file.delay === undefined) file.delay = delayOf(file.tracks, data);
    buffer.timestampOffset = seconds(file.started_ms) - file.delay;
    await put(only("vide", file.tracks, data));
    if (closed || !file.tracks.some((track) => track.kind === "soun")) return;
    voice = voice || createVoice(audio, length);
    voice.append(file, data, seconds(file.started_ms));
  }

  async function bring(first, last) {
    const file = rows[first].file;
    const from = rows[first].offset;
    const to = rows[last].offset + rows[last].length;
    busy = true;
    run = [first, last];
    try {
      let data = null;
      if (!file.head && from === file.init) {
        const whole = await get(file, 0, to);
        file.head = whole.slice(0, file.init);
        data = whole.slice(file.init);
      } else {
        if (!file.head) file.head = await get(file, 0, file.init);
        data = await get(file, from, to);
      }
      if (closed) return;
      await append(file, data);
      for (let n = first; n <= last; n += 1) rows[n].tries += 1;
      tail = last;
      if (failures >= PATIENCE) trouble(null, null);
      failures = 0;
    } catch (error) {
      if (closed || error.name === "AbortError") return;
      quiet = performance.now() + AGAIN_MS;
      const told = error.status !== undefined;
      const passing = told ? error.status === 429 || error.status >= 500 : error.name === "TypeError"; // busy, or no network
      if (!passing) for (let n = first; n <= last; n += 1) rows[n].tries += 1;
      failures += passing ? 1 : PATIENCE;
      if (failures >= PATIENCE) trouble(told ? error : null, error);
    } finally {
      busy = false;
    }
  }

  function trim(second) {
    const ranges = video.buffered;
    if (!ranges.length || busy || !buffer || buffer.updating) return;
    if (ranges.start(0) < second - 2 * KEEP_S) buffer.remove(0, second - KEEP_S);
    else if (ranges.end(ranges.length - 1) > second + 8 * KEEP_S) buffer.remove(second + 4 * KEEP_S, length + 1);
  }

  return {
    rows,
    seconds,
    holds,
    there,
    // The row that is played at `at`, null in a gap.
    covering(at) {
      const row = rows[indexAt(at)];
      return row && row.from <= at ? row : null;
    },
    // Where footage goes on after `at`, null where it does not.
    next(at) {
      const row = rows[indexAt(at)];
      return row ? Math.max(at, row.from) : null;
    },
    // Asks for what is wanted next of what is played from `at` on at that rate; at once where nothing is under way.
    want(at, rate) {
      const here = indexAt(at);
      if (busy) {
        const far = run[1] < here || run[0] > here + 2;
        if (far && rows[here] && rows[here].tries <= TRIES && !there(rows[here]) && stop && (!buffer || !buffer.updating)) stop.abort(); // it looks elsewhere now
        return;
      }
      if (closed || performance.now() < quiet || (buffer && buffer.updating)) return;
      const horizon = at + Math.min(AHEAD_MOST_S, AHEAD_S * rate) * 1000;
      let bytes = 0;
      for (let n = here; n < rows.length && rows[n].from < horizon && bytes < AHEAD_BYTES; n += 1) {
        bytes += rows[n].length;
        if (there(rows[n])) rows[n].tries = 0; // once it has been dropped from memory it is asked for anew
        if (rows[n].tries > TRIES || there(rows[n])) continue;
        let first = n;
        // where key frames are rare, from the last one on; unless it goes on behind what came last
        while (first > 0 && !rows[first].key && tail !== n - 1 && rows[first - 1].file === rows[n].file) first -= 1;
        let last = n;
        let size = rows[n].length;
        // the first picture after a seek comes with the first fragment alone; and so do those of a run that failed
        while (n !== here && !rows[n].tries && last + 1 < rows.length && rows[last + 1].file === rows[n].file && !rows[last + 1].tries && !there(rows[last + 1])
          && rows[last + 1].offset === rows[last].offset + rows[last].length && size + rows[last + 1].length <= MOST_BYTES) {
          last += 1;
          size += rows[last].length;
        }
        bring(first, last);
        return;
      }
      trim(seconds(at));
    },
    // Whether any sound has come.
    get sounds() { return voice !== null; },
    // Whether there is any at the moment that is shown.
    get audible() { return voice !== null && voice.holds(video.currentTime); },
    // Lets be heard what belongs to the picture that is shown, or nothing.
    hear(on) {
      if (voice) voice.follow(video.currentTime, on);
    },
    // Whether everything has been tried for that row, and nothing came of it.
    lost(row) {
      return row.tries > TRIES && !there(row);
    },
    close() {
      closed = true;
      if (stop) stop.abort();
      if (voice) voice.close();
      video.removeAttribute("src");
      video.load();
    },
  };
}
