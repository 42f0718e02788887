// Looking at footage and taking evidence away: first the reason, then the clip, part after part. The reason is posted,
// which opens a view; every byte is fetched with the view's id, and no address has the reason in it.

import { h, setText } from "/ui/static/js/dom.js";
import { lang, t } from "/ui/static/js/text.js";
import { postJSON } from "/ui/static/js/http.js";
import { date, hms } from "/ui/static/js/time.js";

const SIDE_MS = 30000;
const WHY_MIN = 2;

// allowed: {from_ms, until_ms, export}, what whoever is signed in may look at. exports: where evidence is asked for.
export function createViewer(session, cameras, allowed, exports) {
  let moment = null;
  let view = null;
  let parts = 1;
  let part = 0;
  const base = "/spotcheck/" + encodeURIComponent(session);
  const span = h("p", { class: "num span" }, t("spotcheck.choose"));
  const camera = h("select", { name: "camera" }, cameras.map((name) => h("option", { value: name }, t("spotcheck.camera", { name }))));
  const why = h("input", { name: "why", maxlength: 500, autocomplete: "off", "aria-describedby": "why-trouble" });
  const trouble = h("p", { class: "notice bad", id: "why-trouble", role: "alert", hidden: true });
  const video = h("video", { controls: true, playsinline: true, preload: "metadata", hidden: true });
  const which = h("p", { class: "small muted num", role: "status" });
  const play = h("button", { type: "button", class: "button main play", disabled: true, onclick: () => guard(open) }, "▶ " + t("spotcheck.play"));
  const take = h("button", { type: "button", class: "button export", disabled: true, hidden: !allowed.export, onclick: () => guard(save) }, t("spotcheck.export"));
  const reasons = [t("spotcheck.why_routine"), t("spotcheck.why_complaint")].map((text) => h("button", { type: "button", class: "button slim", onclick: () => { why.value = text; say(""); } }, text));

  function say(sentence) {
    trouble.textContent = sentence;
    trouble.hidden = !sentence;
    if (sentence) why.setAttribute("aria-invalid", "true");
    else why.removeAttribute("aria-invalid");
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

  const from = () => Math.max(moment.at_ms - SIDE_MS, allowed.from_ms);
  const until = () => Math.min(moment.at_ms + SIDE_MS, allowed.until_ms);
  const url = (n) => base + "/clip/" + encodeURIComponent(view.camera) + "?" + new URLSearchParams({ view: view.id, part: n });

  // One view for one span, camera and reason: playing it again is the same look.
  async function open() {
    const asked = { cameras: [camera.value], from: from(), until: until(), why: why.value.trim() };
    const key = JSON.stringify(asked);
    if (!view || view.key !== key) {
      view = null;
      try {
        const told = await postJSON("/spotcheck/api/" + encodeURIComponent(session) + "/views", asked);
        view = { key, id: told.view, camera: told.cameras[0] };
      } catch (failure) {
        video.hidden = true;
        say(failure.message);
        return;
      }
    }
    show(0);
  }

  // One byte first: it says how many parts there are, or why there are none.
  async function show(n) {
    try {
      const response = await fetch(url(n), { headers: { Range: "bytes=1-1", Accept: "application/json" }, credentials: "same-origin", cache: "no-store" });
      if (!response.ok) {
        const body = await response.json().catch(() => null);
        say((body && body[lang()]) || t("spotcheck.no_play"));
        view = null;
        video.hidden = true;
        return;
      }
      parts = Number(response.headers.get("X-Clip-Parts")) || 1;
    } catch (error) {
      say(t("common.no_answer"));
      return;
    }
    part = n;
    video.hidden = false;
    video.src = url(n);
    setText(which, parts > 1 ? t("spotcheck.part", { n: n + 1, total: parts }) : "");
    video.play().catch(() => {});
  }

  video.addEventListener("ended", () => { if (part + 1 < parts) show(part + 1); });
  video.addEventListener("error", () => { if (video.src) say(t("spotcheck.no_play")); });

  async function save() {
    take.disabled = true;
    try {
      await exports.start({ camera: camera.value, from: from(), until: until(), why: why.value.trim() });
      exports.element.scrollIntoView({ block: "nearest" });
    } catch (failure) {
      say(failure.message);
    }
    take.disabled = false;
  }

  return {
    element: h("section", { class: "card viewer" }, h("h2", {}, t("spotcheck.view")), span,
      h("label", { class: "field" }, h("span", {}, t("spotcheck.why")), why), h("div", { class: "choices row" }, reasons), trouble,
      h("label", { class: "field" }, h("span", { class: "sr" }, t("spotcheck.camera", { name: "" })), camera),
      h("div", { class: "row" }, play, take), which, video, h("p", { class: "small muted" }, t("spotcheck.logged"))),
    choose(next) {
      moment = next;
      if (next.camera) camera.value = next.camera;
      setText(span, t("spotcheck.span", { date: date(from()), from: hms(from()), until: hms(until()) }));
      play.disabled = take.disabled = cameras.length === 0 || from() >= until();
      video.pause();
      video.hidden = true;
      video.removeAttribute("src");
      setText(which, "");
      say(from() < until() ? "" : t("spotcheck.outside"));
    },
  };
}
