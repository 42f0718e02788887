// The paper on the screen: head, one item, the map of all items, and the bar at the bottom.

import { h, replace, setText } from "/ui/static/js/dom.js";
import { t, pick } from "/ui/static/js/text.js";
import { hms, countdown } from "/ui/static/js/time.js";
import { words } from "./words.js";

const WARN_MS = 5 * 60 * 1000;
const PART_WARN_MS = 2 * 60 * 1000;
const NARROW = "(max-width: 700px)";

// acts: choose(item, value, wait), flush(), go(index), next(), flag(), handIn(), language(), settings(), take(item, value),
// read(item), reachable(index), canOpen(part), openPart(part), morePartsAfter(index), say(text, loud). kit: {kinds, media, second(), canSpeak()}.
export function createView(root, claim, paper, kit, acts) {
  let at = 0;
  const timer = h("output", { class: "timer num", role: "timer", "aria-live": "off" });
  const partTimer = h("output", { class: "part-timer num", role: "timer", "aria-live": "off", hidden: true });
  const link = h("span", { class: "tag link" });
  const banners = h("div", { class: "banners" });
  const stage = h("main", { class: "stage", id: "item", tabindex: "-1" });
  let cells = [];
  const counts = h("p", { class: "counts num" });
  const progress = h("span", { class: "num" });
  const flagButton = h("button", { type: "button", class: "button", onclick: () => acts.flag() });
  const previous = h("button", { type: "button", class: "button", onclick: () => acts.go(at - 1) });
  const next = h("button", { type: "button", class: "button main", onclick: () => acts.next() });
  const mapButton = h("button", { type: "button", class: "button map-open", "aria-expanded": "false", onclick: () => toggleMap() });
  const map = h("nav", { class: "map" });
  const materialOpen = {};
  let itemState = h("div");
  let body = null;
  let readButton = null;

  function build() {
    const work = h("div", { class: "work" }, h("div", { class: "left" }, stage, h("footer", { class: "foot" }, previous, flagButton, mapButton, next)), map);
    replace(root, h("div", { class: "exam-page" }, header(), banners, work));
    buildMap();
    setText(previous, "‹ " + t("exam.previous"));
    replace(mapButton, t("exam.map"), " ", progress);
    showItem(at, false);
  }

  function header() {
    return h("header", { class: "head" },
      h("div", { class: "who" }, h("strong", { lang: "zh-CN" }, pick(claim.session.title)), claim.session.practice ? h("span", { class: "tag warn" }, t("exam.practice")) : null,
        h("span", { class: "num" }, claim.candidate.name_masked + "  " + t("exam.seat") + " " + (claim.candidate.seat || "-"))),
      h("div", { class: "tools" }, h("button", { type: "button", class: "button", onclick: acts.settings }, t("exam.settings_button")),
        h("button", { type: "button", class: "button", onclick: acts.language, lang: t("exam.other_language_code") }, t("exam.other_language"))),
      h("div", { class: "time" }, h("span", { class: "small" }, t("exam.left")), timer, partTimer, link));
  }

  function buildMap() {
    cells = [];
    const groups = [];
    paper.parts.forEach((part) => groups.push({ part, cells: [] }));
    paper.items.forEach((item, index) => {
      const cell = h("button", { type: "button", class: "cell num", onclick: () => { closeMap(); acts.go(index); } });
      cells.push(cell);
      groups[item.partIndex].cells.push(cell);
    });
    replace(map, h("div", { class: "map-head" }, h("h2", {}, t("exam.map")),
      h("button", { type: "button", class: "button map-close", onclick: () => { closeMap(); mapButton.focus(); } }, t("exam.handin_no"))), counts,
      groups.map((group, index) => [
        h("h3", {}, h("span", { lang: langOf(group.part.title) }, pick(group.part.title)), group.part.minutes ? " " + t("exam.part_minutes", { minutes: group.part.minutes }) : ""),
        acts.canOpen(index) ? h("button", { type: "button", class: "button part-open", onclick: () => { closeMap(); acts.openPart(index); } }, t("exam.part_open")) : null,
        h("div", { class: "cells" }, group.cells)]),
      h("button", { type: "button", class: "button stop main handin", onclick: () => { closeMap(); acts.handIn(); } }, t("exam.handin")));
    map.setAttribute("aria-label", t("exam.map"));
  }

  // Part titles come in one language or in several.
  const langOf = (text) => (typeof text === "string" || !text.en || document.documentElement.lang !== "en" ? "zh-CN" : "en");

  function toggleMap() {
    const open = root.firstChild.classList.toggle("map-shown");
    mapButton.setAttribute("aria-expanded", String(open));
    if (open) cells[at].focus();
  }

  function closeMap() {
    root.firstChild.classList.remove("map-shown");
    mapButton.setAttribute("aria-expanded", "false");
  }

  const TYPES = { judgement: "exam.type_judgement", single: "exam.type_single", multiple: "exam.type_multiple", fill: "exam.type_fill",
    order: "exam.type_order", match: "exam.type_match", hotspot: "exam.type_hotspot" };

  function showItem(index, focus) {
    at = index;
    const item = paper.items[at];
    if (kit.media) kit.media.newItem();
    const ctx = { label: "question", second: kit.second(), media: kit.media, say: acts.say, flush: acts.flush,
      choose: (value, wait) => acts.choose(item, value, wait) };
    const kind = kit.kinds[item.type];
    body = kind ? kind.make(item, ctx) : { node: h("p", { class: "notice bad" }, t("exam.kind_unknown")), update() {} };
    const optionPictures = kit.media ? kit.media.optionPictures(item) : null;
    itemState = h("div", { class: "item-state", role: "status" });
    readButton = h("button", { type: "button", class: "button slim read", hidden: !kit.canSpeak(), onclick: () => acts.read(item) }, t("exam.read"));
    const question = h("h1", { class: "question", id: "question", tabindex: "-1" },
      h("span", { class: "count num" }, t("exam.question_of", { n: item.n, total: paper.total })),
      body.ownStem ? null : words(item.stem, item.stem_more, ctx.second, "stem"));
    replace(stage,
      h("div", { class: "meta" }, h("span", { class: "part", lang: langOf(item.part.title) }, pick(item.part.title)), h("span", { class: "tag brand" }, t(TYPES[item.type] || "exam.kind_unknown")),
        h("span", { class: "num muted" }, t("exam.points", { points: item.points })), readButton),
      h("div", { class: item.material ? "beside" : "" }, item.material ? material(item, ctx) : null,
        h("div", { class: "answer" }, question, kit.media ? kit.media.figures(item) : null, optionPictures, body.node, itemState)));
    const last = at === paper.items.length - 1 || !acts.reachable(at + 1);
    previous.disabled = at === 0 || !acts.reachable(at - 1);
    setText(next, last && !acts.morePartsAfter(at) ? t("exam.handin") : (last ? t("exam.next_part") : t("exam.next")) + " ›");
    stage.scrollTop = 0;
    if (focus) window.scrollTo(0, 0);
    update();
    if (focus) question.focus({ preventScroll: true });
  }

  // The situation that a case's questions are about: folded away on a small screen once it has been read.
  function material(item, ctx) {
    const id = item.material.id;
    const open = id in materialOpen ? materialOpen[id] : item.first || !window.matchMedia(NARROW).matches;
    const box = h("details", { class: "material", open }, h("summary", { onclick: () => { materialOpen[id] = !box.open; } }, t("exam.material")),
      h("div", { class: "material-text" }, words(item.material.stem, item.material.stem_more, ctx.second, "text"), kit.media ? kit.media.figures(item.material) : null));
    return box;
  }

  // Brings marks, states and counts up to date without touching what has the focus.
  function update() {
    const item = paper.items[at];
    body.update(paper.value(item.id));
    replaceIfChanged(itemState, stateOf(item));
    setText(flagButton, (paper.flagged(item.id) ? "⚑ " + t("exam.unflag") : "⚐ " + t("exam.flag")));
    flagButton.setAttribute("aria-pressed", String(paper.flagged(item.id)));
    const total = paper.counts();
    setText(progress, total.answered + "/" + total.total);
    setText(counts, t("exam.map_counts", total));
    paper.items.forEach((each, index) => markCell(cells[index], each, index));
  }

  function markCell(cell, item, index) {
    const current = index === at;
    const reachable = acts.reachable(index);
    const state = paper.state(item.id);
    const trouble = paper.needsAttention(item.id);
    const full = paper.answered(item.id);
    const flagged = paper.flagged(item.id);
    const key = [item.n, current, reachable, state, full, flagged, document.documentElement.lang].join();
    if (cell.dataset.key === key) return;
    cell.dataset.key = key;
    const said = [t(full ? "exam.cell_answered" : "exam.cell_unanswered")];
    if (flagged) said.push(t("exam.cell_flagged"));
    if (trouble) said.push(t("exam.cell_attention"));
    if (!reachable) said.push(t("exam.cell_locked"));
    setText(cell, item.n);
    cell.dataset.corner = trouble ? "!" : flagged ? "⚑" : "";
    cell.className = "cell num" + (full ? " full" : "") + (["tablet", "keeping", "page"].includes(state) ? " way" : "");
    cell.disabled = !reachable;
    cell.setAttribute("aria-label", item.n + ", " + said.join(", "));
    if (current) cell.setAttribute("aria-current", "step");
    else cell.removeAttribute("aria-current");
  }

  function spoken(item, value) {
    if (!value.length) return t("exam.nothing_chosen");
    if (item.type === "order") return value.join(" → ");
    return value.map((one) => one || "–").join("、");
  }

  function stateOf(item) {
    const state = paper.state(item.id);
    if (state === "conflict") {
      const [theirs, mine] = [paper.savedValue(item.id), paper.value(item.id)];
      return { key: state + theirs + "|" + mine, make: () => h("div", { class: "conflict" }, h("p", {}, t("exam.conflict_title")),
        h("div", { class: "two" },
          h("button", { type: "button", class: "button huge", onclick: () => acts.take(item, theirs) }, t("exam.conflict_room", { value: spoken(item, theirs) })),
          h("button", { type: "button", class: "button huge", onclick: () => acts.take(item, mine) }, t("exam.conflict_tablet", { value: spoken(item, mine) })))) };
    }
    const line = {
      none: ["", t("exam.state_none")],
      keeping: ["way", t("exam.state_keeping")],
      tablet: ["way", t("exam.state_tablet")],
      page: ["bad", t("exam.state_page")],
      saved: ["good", t("exam.state_saved", { time: hms(paper.savedAt(item.id)) })],
      grace: ["good", t("exam.state_grace", { time: hms(paper.savedAt(item.id)) })],
      noted: ["good", t("exam.state_noted", { time: hms(paper.savedAt(item.id)) })],
      late: ["bad", t("exam.state_late")],
      paused: ["bad", t("exam.state_paused")],
      rejected: ["bad", t("exam.state_rejected", { sentence: pick(paper.marks.rejected[item.id]) })],
    }[state];
    return { key: state + line[1], make: () => h("p", { class: "line num " + line[0] }, line[1]) };
  }

  function replaceIfChanged(holder, made) {
    if (holder.dataset.key === made.key) return;
    holder.dataset.key = made.key;
    replace(holder, made.make());
  }

  return {
    build,
    update,
    buildMap,
    show: showItem,
    index: () => at,
    // Without this the list of voices, which comes late, would hide the button on the first question.
    voices() {
      if (readButton) readButton.hidden = !kit.canSpeak();
    },
    tick(left, partLeft) {
      setText(timer, left === null ? "--:--" : countdown(left));
      timer.classList.toggle("soon", left !== null && left <= WARN_MS);
      partTimer.hidden = partLeft === null;
      if (partLeft === null) return;
      setText(partTimer, t("exam.part_left", { left: countdown(partLeft) }));
      partTimer.classList.toggle("soon", partLeft <= PART_WARN_MS);
    },
    // notices: [{kind, text, act?}]
    banners(connected, notices) {
      setText(link, connected ? "● " + t("exam.connected") : "○ " + t("exam.offline"));
      link.className = "tag link " + (connected ? "good" : "warn");
      const key = JSON.stringify(notices.map((n) => n.text));
      if (banners.dataset.key === key) return;
      banners.dataset.key = key;
      replace(banners, notices.map((n) => (n.act
        ? h("button", { type: "button", class: "notice " + n.kind, onclick: n.act }, n.text)
        : h("p", { class: "notice " + n.kind, role: "status" }, n.text))));
    },
  };
}
