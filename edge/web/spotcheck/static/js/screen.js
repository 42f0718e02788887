// One camera of the player: its picture at a moment of wall time, or why there is none.

import { h, setText } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { createFeed, sequenceOf } from "./feed.js";

const STILL_S = 0.04;
const DRIFT_S = 0.1; // of real time; what the picture may lie off the common clock

// `list` is what the room has of the camera in the view, `why(at)` says in words why there is no picture at a moment,
// `trouble(response, error)` is told what could not be fetched or played.
export function createScreen(name, { list, address, zero, length, why, trouble }) {
  const video = h("video", { muted: true, playsinline: true, disablepictureinpicture: true, preload: "auto", "aria-label": t("spotcheck.camera", { name }) });
  video.muted = true;
  const words = h("p", { class: "no-picture", hidden: true });
  const element = h("figure", { class: "screen", "data-camera": name }, video, words, h("figcaption", {}, t("spotcheck.camera", { name })));
  const takes = Array.from(new Set(list.files.map((file) => file.take)));
  let feed = null;

  function start(take) {
    if (feed) feed.close();
    feed = createFeed(video, { rows: sequenceOf(list.files, take), address, zero, length, trouble });
  }
  start(0);

  function say(sentence) {
    setText(words, sentence);
    words.hidden = !sentence;
    element.classList.toggle("empty", Boolean(sentence));
  }

  return {
    element,
    name,
    video,
    takes,
    take: start,
    next: (at) => feed.next(at),
    // Shows the moment, playing or standing still; whether it is ready for the clock to go on.
    follow(at, playing, rate) {
      const row = feed.covering(at);
      if (!row || feed.lost(row)) {
        say(row ? t("spotcheck.no_play") : why(at));
        if (!video.paused) video.pause();
        feed.want(at, rate);
        return true;
      }
      say("");
      feed.want(at, rate);
      const second = feed.seconds(at);
      if (video.readyState < 1) return false;
      const off = video.currentTime - second;
      if (!feed.holds(second)) {
        if (!video.paused) video.pause();
        if (Math.abs(off) > STILL_S && !video.seeking) video.currentTime = second;
        return at >= row.until; // between two fragments there is nothing to wait for
      }
      if (!playing) {
        if (!video.paused) video.pause();
        if (Math.abs(off) > STILL_S && !video.seeking) video.currentTime = second;
      } else {
        if (video.playbackRate !== rate) video.playbackRate = rate;
        if (Math.abs(off) > DRIFT_S * Math.max(1, rate) && !video.seeking) video.currentTime = second;
        if (video.paused) video.play().catch(() => {});
      }
      return video.readyState >= 2 && !video.seeking;
    },
    close() {
      feed.close();
    },
  };
}
