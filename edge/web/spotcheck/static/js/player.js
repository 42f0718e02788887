// Several cameras in step on one clock, the wall time of the room: played at 1 to 16 times, stopped, searched. Where
// one camera has no picture the clock goes on and its screen says why; while a picture is on its way, it waits.

import { h, replace, setText } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { date, hms } from "/ui/static/js/time.js";
import { DRIFT_S, createScreen } from "./screen.js";

const RATES = [1, 2, 4, 8, 16];
const TICK_MS = 100;
const LONGEST_TICK_MS = 400;
const STEP_MS = 10000;
const KEY_STEP_MS = 5000;
const LEAD_MS = 1000;

// `moved(at)` is told where the clock is, `trouble(response, error)` what could not be shown.
export function createPlayer({ moved, trouble }) {
  let screens = [];
  let span = null; // {from, until}
  let at = 0;
  let playing = false;
  let waiting = false;
  let rate = 1;
  let behind = 0; // seconds of footage that the slowest picture lies behind the clock
  let last = 0;
  let timer = 0;
  const wall = h("div", { class: "screens" });
  const clock = h("p", { class: "num wall-clock" });
  const doubt = h("span", { class: "tag warn", hidden: true }, "△ " + t("spotcheck.legend_unheld"));
  const state = h("p", { class: "small muted", role: "status" });
  const scrub = h("input", { type: "range", class: "scrub", min: 0, step: 1000, "aria-label": t("spotcheck.scrub") });
  const toggle = h("button", { type: "button", class: "button main pause", onclick: () => (playing ? pause() : play()) });
  const rates = RATES.map((one) => h("button", { type: "button", class: "button slim rate", "data-rate": one, "aria-pressed": "false", onclick: () => setRate(one) }, one + "×"));
  const skip = h("button", { type: "button", class: "button slim skip-gap", hidden: true, onclick: () => seek(onward()) }, t("spotcheck.skip_gap"));
  let loud = true;
  const sound = h("button", { type: "button", class: "button slim sound", hidden: true, "aria-pressed": "true", onclick: () => { loud = !loud; tick(); } });
  const takes = h("div", { class: "row", hidden: true });
  const step = (by, label, words) => h("button", { type: "button", class: "button slim", "aria-label": words, title: words, onclick: () => seek(at + by) }, label);
  const element = h("div", { class: "player", hidden: true, role: "group", "aria-label": t("spotcheck.player"), onkeydown: keys },
    wall, scrub, h("div", { class: "row ends" }, h("div", { class: "row" }, clock, doubt),
      h("div", { class: "row" }, step(-STEP_MS, "« 10 s", t("spotcheck.back")), toggle, step(STEP_MS, "10 s »", t("spotcheck.forward")))),
    h("div", { class: "row", role: "group", "aria-label": t("spotcheck.speed") }, h("span", { class: "small muted" }, t("spotcheck.speed")), rates, sound, skip), takes, state);

  scrub.addEventListener("input", () => seek(span.from + Number(scrub.value)));
  document.addEventListener("visibilitychange", () => { if (document.hidden && playing) pause(); });

  function keys(event) {
    if (!span || event.altKey || event.ctrlKey || event.metaKey) return;
    const on = event.target;
    if (event.key === " " && on.tagName !== "BUTTON") (playing ? pause : play)();
    else if (event.key === "ArrowLeft" && on !== scrub) seek(at - KEY_STEP_MS);
    else if (event.key === "ArrowRight" && on !== scrub) seek(at + KEY_STEP_MS);
    else if (event.key === "+" || event.key === "=") setRate(RATES[Math.min(RATES.length - 1, RATES.indexOf(rate) + 1)]);
    else if (event.key === "-") setRate(RATES[Math.max(0, RATES.indexOf(rate) - 1)]);
    else return;
    event.preventDefault();
  }

  // The nearest moment ahead at which any camera has a picture again.
  function onward() {
    const found = screens.map((screen) => screen.next(at)).filter((one) => one !== null);
    return found.length ? Math.min.apply(null, found) : span.until;
  }

  function play() {
    if (at >= span.until) at = span.from;
    playing = true;
    draw();
  }

  function pause() {
    playing = waiting = false;
    draw();
    tick();
  }

  function setRate(wanted) {
    rate = wanted;
    draw();
  }

  function seek(to) {
    at = Math.min(span.until, Math.max(span.from, Math.round(to)));
    tick();
  }

  function tick() {
    const now = performance.now();
    const passed = Math.min(LONGEST_TICK_MS, now - last);
    last = now;
    // pictures that come too slowly (a slow laptop at 16 times) hold the clock up; they are not jumped over
    if (playing && !waiting && behind <= DRIFT_S * rate) at = Math.min(span.until, at + passed * rate);
    const lags = screens.map((screen) => screen.follow(at, playing && !waiting, rate));
    waiting = playing && lags.includes(null);
    behind = Math.max.apply(null, [0].concat(lags));
    if (playing && at >= span.until) {
      playing = waiting = false;
      screens.forEach((screen) => screen.follow(at, false, rate));
      draw();
    }
    // one camera's alone, as it is: several microphones of one room would be an echo
    const ear = loud && playing && !waiting && rate === 1 ? screens.find((screen) => screen.audible) : null;
    for (const screen of screens) screen.hear(screen === ear);
    sound.hidden = !screens.some((screen) => screen.sounds);
    sound.setAttribute("aria-pressed", String(loud));
    setText(sound, t(loud ? "spotcheck.sound_on" : "spotcheck.sound_off"));
    scrub.value = Math.round(at - span.from);
    scrub.setAttribute("aria-valuetext", hms(at));
    setText(clock, date(at) + " " + hms(at));
    doubt.hidden = !screens.some((screen) => screen.doubtful(at));
    setText(state, waiting ? t("spotcheck.waiting") : "");
    const empty = screens.length > 0 && screens.every((screen) => screen.element.classList.contains("dark"));
    skip.hidden = !empty || onward() >= span.until;
    moved(at);
  }

  function draw() {
    setText(toggle, playing ? "❚❚ " + t("spotcheck.pause") : "▶ " + t("spotcheck.go_on"));
    for (const button of rates) button.setAttribute("aria-pressed", String(Number(button.dataset.rate) === rate));
  }

  // Where the clock was set back, the same times come more than once: which of them is to be seen.
  function drawTakes() {
    const every = Array.from(new Set([].concat.apply([], screens.map((screen) => screen.takes)))).sort((a, b) => a - b);
    takes.hidden = every.length < 2;
    replace(takes, h("span", { class: "small" }, t("spotcheck.twice")), every.map((take) => h("button", { type: "button", class: "button slim", "aria-pressed": String(take === 0),
      onclick: (event) => {
        for (const button of takes.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button === event.currentTarget));
        screens.forEach((screen) => { if (screen.takes.includes(take)) screen.take(take); });
        tick();
      } }, t("spotcheck.take", { n: take + 1 }))));
  }

  return {
    element,
    get at() { return at; },
    get playing() { return playing; },
    // Whether that moment of that camera (or of any) is being shown or can be without another view.
    covers(moment, camera) {
      return span !== null && moment >= span.from && moment <= span.until && (!camera || screens.some((screen) => screen.name === camera));
    },
    seek(moment, go) {
      seek(moment);
      if (go) play();
    },
    // `lists`: what there is of each camera; `address(segment)`, `why(camera, at)`.
    load({ from, until, lists, address, why, start, go }) {
      this.close();
      span = { from, until };
      const first = [].concat.apply([], lists.map((list) => list.files.map((file) => file.fragments[0][2])));
      const zero = Math.min.apply(null, [from].concat(first)) - LEAD_MS;
      const length = (until - zero) / 1000 + 60;
      screens = lists.map((list) => createScreen(list.camera, { list, address, zero, length, why: (moment) => why(list.camera, moment), trouble }));
      replace(wall, screens.map((screen) => screen.element));
      wall.dataset.count = String(screens.length);
      scrub.max = until - from;
      element.hidden = false;
      at = Math.min(until, Math.max(from, start));
      playing = go;
      waiting = false;
      last = performance.now();
      draw();
      drawTakes();
      tick();
      timer = setInterval(tick, TICK_MS);
    },
    close() {
      clearInterval(timer);
      screens.forEach((screen) => screen.close());
      screens = [];
      span = null;
      playing = waiting = false;
      element.hidden = true;
    },
  };
}
