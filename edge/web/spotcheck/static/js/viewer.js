// Looking at footage and taking evidence away: first the reason, once for the page, then any moment in one click. The
// reason is posted, which opens a view; every byte is fetched with the view's id, and no address has the reason in it.

import { h, setText } from "/ui/static/js/dom.js";
import { lang, t } from "/ui/static/js/text.js";
import { getJSON, postJSON } from "/ui/static/js/http.js";
import { date, hms } from "/ui/static/js/time.js";
import { createAnswers } from "./answers.js";
import { playable } from "./feed.js";
import { createPlayer } from "./player.js";
import { createStrip } from "./strip.js";

const SIDE_MS = 30000;
const WHY_MIN = 2;
const AT_FIRST = 2; // cameras in step, so that a slow laptop keeps up

// `timeline` is the room's document, of which `allowed` is what whoever is signed in may look at; `why(camera, at)` says
// why there is no picture, `moved(at)` is told where the player's clock is. `exports`: where evidence is asked for.
export function createViewer(session, timeline, { exports, why: reasonOfGap, moved }) {
  const allowed = timeline.allowed;
  const names = timeline.cameras.map((camera) => camera.name);
  let moment = null;
  let view = null;
  let opening = "";
  const base = "/spotcheck/" + encodeURIComponent(session);
  const api = "/spotcheck/api/" + encodeURIComponent(session);
  const player = createPlayer({
    moved(at) {
      answers.moved(at);
      moved(at);
    },
    trouble,
  });
  const answers = createAnswers(timeline.answers ? timeline.candidates : [], { address: (number) => api + "/answers/" + number, seek: (at) => player.seek(at) });
  const strip = createStrip({ address: (name) => api + "/thumbs/" + encodeURIComponent(name), seek: (at) => player.seek(at) });
  const span = h("p", { class: "num span" }, t("spotcheck.choose"));
  const boxes = names.map((name, n) => {
    const box = h("input", { type: "checkbox", name: "camera", value: name });
    box.checked = n < AT_FIRST;
    box.addEventListener("change", changed);
    return box;
  });
  const cameras = h("fieldset", { class: "cameras row" }, h("legend", { class: "small" }, t("spotcheck.in_step")), boxes.map((box) => h("label", { class: "check" }, box, " " + box.value)));
  const why = h("input", { name: "why", maxlength: 500, autocomplete: "off", "aria-describedby": "why-trouble" });
  const told = h("p", { class: "notice bad", id: "why-trouble", role: "alert", hidden: true });
  const which = h("p", { class: "small muted num", role: "status" });
  const play = h("button", { type: "button", class: "button main play", disabled: true, onclick: () => guard(() => open(true)) }, "▶ " + t("spotcheck.play"));
  const take = h("button", { type: "button", class: "button export", disabled: true, hidden: !allowed.export, onclick: () => guard(save) }, t("spotcheck.export"));
  const reasons = [t("spotcheck.why_routine"), t("spotcheck.why_complaint")].map((text) => h("button", { type: "button", class: "button slim reason", onclick: () => {
    why.value = text;
    say("");
    if (moment) open(true);
  } }, text));

  function say(sentence) {
    told.textContent = sentence;
    told.hidden = !sentence;
    if (sentence) why.setAttribute("aria-invalid", "true");
    else why.removeAttribute("aria-invalid");
  }

  async function trouble(response, error) {
    if (response) {
      const body = await response.json().catch(() => null);
      say((body && body[lang()]) || t("spotcheck.no_play"));
      if (response.status === 403) { // a view does not last for ever: the next click opens another
        view = null;
        player.close();
      }
    } else if (error) say(error.name === "TypeError" ? t("spotcheck.retrying") : t("spotcheck.no_play"));
    else say("");
  }

  function guard(work) {
    if (why.value.trim().length < WHY_MIN) {
      say(t("spotcheck.why_short"));
      why.focus();
      return;
    }
    say("");
    work();
  }

  const from = () => Math.max(moment.at_ms - moment.side_ms, allowed.from_ms);
  const until = () => Math.min(moment.at_ms + moment.side_ms, allowed.until_ms);
  const checked = () => boxes.filter((box) => box.checked).map((box) => box.value);

  // One view for one span, set of cameras and reason: playing it again is the same look.
  async function open(go) {
    const asked = { cameras: checked(), from: from(), until: until(), why: why.value.trim() };
    const start = moment.start_ms === undefined ? Math.max(asked.from, timeline.from_ms) : moment.start_ms;
    const key = JSON.stringify(asked);
    if (opening === key || !asked.cameras.length || asked.from >= asked.until) return;
    if (view && view.key === key && !view.growing) {
      player.seek(start, go);
      return;
    }
    const known = view && view.key === key ? view : null;
    opening = key;
    view = null;
    player.close();
    setText(which, t("spotcheck.waiting"));
    try {
      const given = known || Object.assign({ key }, await postJSON(api + "/views", asked));
      const query = "?" + new URLSearchParams({ view: given.view });
      const lists = await Promise.all(given.cameras.map((name) => getJSON(api + "/fragments/" + encodeURIComponent(name) + query)));
      if (opening !== key) return;
      // an end that lies ahead: playing it again takes what has been recorded since
      given.growing = asked.until > timeline.until_ms;
      view = given;
      player.load({ from: asked.from, until: asked.until, lists, why: reasonOfGap, start, go,
        address: (segment) => base + "/media/" + encodeURIComponent(segment) + query });
      answers.load(given.view, moment.number);
      strip.load(given.view, given.cameras);
      say("");
    } catch (failure) {
      if (opening === key) say(failure.message);
    }
    if (opening === key) {
      opening = "";
      setText(which, "");
    }
  }

  // Other cameras for the same moments: another view, which goes on where the clock is.
  function changed() {
    draw();
    if (!view || !checked().length) return;
    moment.start_ms = player.at;
    open(player.playing);
  }

  async function save() {
    take.disabled = true;
    try {
      for (const camera of checked()) await exports.start({ camera, from: from(), until: until(), why: why.value.trim() });
      exports.element.scrollIntoView({ block: "nearest" });
    } catch (failure) {
      say(failure.message);
    }
    take.disabled = false;
  }

  function draw() {
    setText(span, t("spotcheck.span", { date: date(from()), from: hms(from()), until: hms(until()) }));
    play.disabled = take.disabled = !checked().length || from() >= until();
    if (!playable()) {
      play.disabled = true;
      say(t("spotcheck.old_browser"));
    }
  }

  return {
    element: h("section", { class: "card viewer" }, h("h2", {}, t("spotcheck.view")), told, span, which, player.element, answers.element, strip.element,
      h("div", { class: "row" }, reasons), h("label", { class: "field" }, h("span", {}, t("spotcheck.why")), why),
      names.length > 1 ? cameras : null, h("div", { class: "row" }, play, take), h("p", { class: "small muted" }, t("spotcheck.logged"))),
    // Whether that moment can be shown without another view.
    covers: (at, camera) => view !== null && player.covers(at, camera),
    seek: (at) => player.seek(at),
    // {at_ms, camera, side_ms, start_ms, number}; `go`: play it at once where a reason has been given.
    choose(next, go) {
      moment = Object.assign({ side_ms: SIDE_MS }, next);
      opening = "";
      const box = boxes.find((one) => one.value === moment.camera);
      if (box) box.checked = true;
      if (!checked().length && boxes.length) boxes[0].checked = true;
      draw();
      if (from() >= until()) {
        view = null;
        player.close();
        say(t("spotcheck.outside"));
      } else if (go && playable()) guard(() => open(true));
    },
  };
}
