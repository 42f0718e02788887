// One camera of the player: its picture at a moment of wall time, or why there is none.

import { h, setText } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { createFeed, sequenceOf } from "./feed.js";

const STILL_S = 0.04;
const STUCK_MS = 700;
export const DRIFT_S = 0.1; // of real time; what a picture may lie off the common clock

// `list` is what the room has of the camera in the view, `why(at)` says in words why there is no picture at a moment,
// `trouble(response, error)` is told what could not be fetched or played.
export function createScreen(name, { list, address, zero, length, why, trouble }) {
  const video = h("video", { muted: true, playsinline: true, disablepictureinpicture: true, preload: "auto", "aria-label": t("spotcheck.camera", { name }) });
  video.muted = true;
  const audio = h("audio", { hidden: true });
  const words = h("p", { class: "no-picture", hidden: true });
  const element = h("figure", { class: "screen", "data-camera": name }, video, words, h("figcaption", {}, t("spotcheck.camera", { name })), audio);
  const takes = Array.from(new Set(list.files.map((file) => file.take)));
  let feed = null;
  let place = -1; // where the video was when it last moved
  let since = 0;

  function start(take) {
    if (feed) feed.close();
    feed = createFeed(video, audio, { rows: sequenceOf(list.files, take), address, zero, length, trouble });
  }
  start(0);

  function say(sentence) {
    setText(words, sentence);
    words.hidden = !sentence;
    element.classList.toggle("dark", Boolean(sentence));
  }

  function settled() {
    return video.readyState >= 2 && !video.seeking ? 0 : null;
  }

  return {
    element,
    name,
    takes,
    take: start,
    next: (at) => feed.next(at),
    // Whether the time of what is shown at that moment is not certain.
    doubtful(at) {
      const row = feed.covering(at);
      return row !== null && row.file.quality !== "synchronised";
    },
    get sounds() { return feed.sounds; },
    get audible() { return feed.audible; },
    // Lets be heard what belongs to the picture; only while it really plays.
    hear(on) {
      feed.hear(on && !video.paused && !video.seeking);
    },
    // Shows the moment, playing or standing still. How many seconds of footage the picture lies behind it; null while
    // it is not there yet, and the clock has to wait.
    follow(at, playing, rate) {
      const row = feed.covering(at);
      feed.want(at, rate);
      if (!row || (feed.lost(row) && !feed.holds(feed.seconds(at)))) {
        say(row ? t("spotcheck.no_play") : why(at));
        if (!video.paused) video.pause();
        return 0;
      }
      say("");
      if (video.readyState < 1) return null;
      const second = feed.seconds(at);
      const off = video.currentTime - second;
      if (!playing || !feed.holds(second)) {
        if (!video.paused) video.pause();
        if (Math.abs(off) > STILL_S && !video.seeking) video.currentTime = second;
        // what has come and does not reach this moment is the end of a stretch: there is nothing to wait for
        return feed.holds(second) ? settled() : feed.there(row) ? 0 : null;
      }
      if (video.playbackRate !== rate) video.playbackRate = rate;
      if (off > DRIFT_S * rate && off < 2 * rate) {
        if (!video.paused) video.pause(); // ahead: the others come after
        return 0;
      }
      if (video.currentTime !== place) [place, since] = [video.currentTime, performance.now()];
      if (Math.abs(off) >= 2 * rate || (off < -DRIFT_S * rate && performance.now() - since > STUCK_MS)) {
        if (!video.seeking) video.currentTime = second;
        since = performance.now();
        return settled();
      }
      if (video.paused) video.play().catch(() => {});
      return settled() === null ? null : Math.max(0, -off);
    },
    close() {
      feed.close();
    },
  };
}
