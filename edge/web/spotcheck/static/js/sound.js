// The sound of one camera, where its footage has any, by an element and a buffer of its own: whatever is missing of it or
// goes wrong with it, the pictures play. Segments with and without sound may follow one another.

import { only } from "./tracks.js";

const TYPE = 'audio/mp4; codecs="mp4a.40.2"'; // AAC-LC, which is all that the room records
const OFF_S = 0.12; // what is heard may lie off what is seen
const KEEP_S = 40;

// `audio`: the element; `length`: of the whole in seconds.
export function createVoice(audio, length) {
  let broken = !(window.MediaSource && MediaSource.isTypeSupported(TYPE));
  let buffer = null;
  let begun = null; // the file whose beginning was appended last
  let queue = Promise.resolve();
  const media = broken ? null : new MediaSource();
  const opened = broken ? null : new Promise((done) => media.addEventListener("sourceopen", done, { once: true }));
  if (!broken) audio.src = URL.createObjectURL(media);

  function settled() {
    return new Promise((done, fail) => {
      const end = (work) => () => { buffer.onupdateend = buffer.onerror = null; work(); };
      buffer.onupdateend = end(done);
      buffer.onerror = end(() => fail(new Error("append")));
    });
  }

  async function append(file, data, offset) {
    await opened;
    if (broken) return;
    if (!buffer) {
      URL.revokeObjectURL(audio.src);
      media.duration = length;
      buffer = media.addSourceBuffer(TYPE);
    }
    const here = audio.currentTime;
    for (const [from, to] of [[0, here - 2 * KEEP_S], [here + 8 * KEEP_S, length + 1]]) {
      if (to <= from || from < 0 || !buffer.buffered.length) continue;
      buffer.remove(from, to);
      await settled();
    }
    if (begun !== file) {
      buffer.appendBuffer(only("soun", file.tracks, file.head));
      await settled();
      begun = file;
    }
    buffer.timestampOffset = offset;
    buffer.appendBuffer(only("soun", file.tracks, data));
    await settled();
  }

  function holds(second) {
    const ranges = audio.buffered;
    for (let n = 0; n < ranges.length; n += 1) if (ranges.start(n) <= second && second < ranges.end(n)) return true;
    return false;
  }

  return {
    holds,
    // Fragments of a file that has sound, as they were recorded; nobody waits for it.
    append(file, data, offset) {
      if (broken) return;
      queue = queue.then(() => append(file, data, offset)).catch(() => {
        broken = true; // it stays silent
        audio.pause();
      });
    },
    // Keeps step with the picture that is shown at `second`, or is silent.
    follow(second, on) {
      if (broken) return;
      if (!on || !holds(second)) {
        if (!audio.paused) audio.pause();
        return;
      }
      if (Math.abs(audio.currentTime - second) > OFF_S && !audio.seeking) audio.currentTime = second;
      if (audio.paused) audio.play().catch(() => {}); // where the browser lets no page make a noise by itself
    },
    close() {
      broken = true;
      audio.pause();
      audio.removeAttribute("src");
      audio.load();
    },
  };
}
