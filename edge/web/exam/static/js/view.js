// The paper on the screen: head, one item, the map of all items, and the bar at the bottom.

import { h, replace, setText } from "/ui/static/js/dom.js";
import { t, pick } from "/ui/static/js/text.js";
import { hms, countdown } from "/ui/static/js/time.js";

const SIZES = 4;
const WARN_MS = 5 * 60 * 1000;

// acts: choose(item, value), go(index), flag(), handIn(), language(), resize(step), take(item, value).
export function createView(root, claim, paper, acts) {
  let at = 0;
  const timer = h("output", { class: "timer num", role: "timer", "aria-live": "off" });
  const link = h("span", { class: "tag link" });
  const banners = h("div", { class: "banners" });
  const stage = h("main", { class: "stage", id: "item", tabindex: "-1" });
  const cells = [];
  const counts = h("p", { class: "counts num" });
  const progress = h("span", { class: "num" });
  const flagButton = h("button", { type: "button", class: "button", onclick: () => acts.flag() });
  const previous = h("button", { type: "button", class: "button", onclick: () => acts.go(at - 1) });
  const next = h("button", { type: "button", class: "button main", onclick: () => (isLast() ? acts.handIn() : acts.go(at + 1)) });
  const isLast = () => at === paper.items.length - 1;
  const mapButton = h("button", { type: "button", class: "button map-open", "aria-expanded": "false", onclick: () => toggleMap() });
  const map = h("nav", { class: "map" });
  let itemState = null;
  let rows = [];

  function build() {
    replace(root, h("div", { class: "exam-page" }, header(), banners, h("div", { class: "work" },
      h("div", { class: "left" }, stage, h("footer", { class: "foot" }, previous, flagButton, mapButton, next)), map)));
    buildMap();
    setText(previous, "‹ " + t("exam.previous"));
    replace(mapButton, t("exam.map"), " ", progress);
    showItem(at, false);
  }

  function header() {
    const size = (step, mark, label) => h("button", { type: "button", class: "button slim", "aria-label": t("exam.text_size") + ": " + label,
      onclick: () => acts.resize(step) }, mark);
    return h("header", { class: "head" },
      h("div", { class: "who" }, h("strong", {}, pick(claim.session.title)), claim.session.practice ? h("span", { class: "tag warn" }, t("exam.practice")) : null,
        h("span", { class: "num" }, claim.candidate.name_masked + "  " + t("exam.seat") + " " + (claim.candidate.seat || "-"))),
      h("div", { class: "tools" }, size(-1, "A−", t("exam.smaller")), size(1, "A+", t("exam.larger")),
        h("button", { type: "button", class: "button slim", onclick: acts.language }, t("exam.other_language"))),
      h("div", { class: "time" }, h("span", { class: "small" }, t("exam.left")), timer, link));
  }

  function buildMap() {
    cells.length = 0;
    const groups = [];
    let part = null;
    paper.items.forEach((item, index) => {
      if (item.part !== part) {
        part = item.part;
        groups.push({ title: pick(part.title), cells: [] });
      }
      const cell = h("button", { type: "button", class: "cell num", onclick: () => { closeMap(); acts.go(index); } });
      cells.push(cell);
      groups[groups.length - 1].cells.push(cell);
    });
    replace(map, h("div", { class: "map-head" }, h("h2", {}, t("exam.map")),
      h("button", { type: "button", class: "button slim map-close", onclick: () => { closeMap(); mapButton.focus(); } }, t("exam.handin_no"))), counts,
      groups.map((group) => [h("h3", {}, group.title), h("div", { class: "cells" }, group.cells)]),
      h("button", { type: "button", class: "button stop main handin", onclick: acts.handIn }, t("exam.handin")));
    map.setAttribute("aria-label", t("exam.map"));
  }

  function toggleMap() {
    const open = root.firstChild.classList.toggle("map-shown");
    mapButton.setAttribute("aria-expanded", String(open));
    if (open) cells[at].focus();
  }

  function closeMap() {
    root.firstChild.classList.remove("map-shown");
    mapButton.setAttribute("aria-expanded", "false");
  }

  const TYPES = { judgement: "exam.type_judgement", single: "exam.type_single", multiple: "exam.type_multiple" };

  function showItem(index, focus) {
    at = index;
    const item = paper.items[at];
    const many = item.type === "multiple";
    rows = item.options.map((option) => {
      const input = h("input", { type: many ? "checkbox" : "radio", name: "answer", value: option.key });
      input.addEventListener("change", () => acts.choose(item, rows.filter((row) => row.input.checked).map((row) => row.key)));
      const label = h("label", { class: "option" }, input, h("span", { class: "letter", "aria-hidden": "true" }, option.key), h("span", { class: "words" }, option.text));
      return { key: option.key, input, label };
    });
    itemState = h("div", { class: "item-state", role: "status" });
    replace(stage,
      h("div", { class: "meta" }, h("span", { class: "part" }, pick(item.part.title)), h("span", { class: "tag brand" }, t(TYPES[item.type])),
        h("span", { class: "num muted" }, t("exam.points", { points: item.points }))),
      h("fieldset", { class: many ? "many" : "one" },
        h("legend", {}, h("span", { class: "count num" }, t("exam.question_of", { n: item.n, total: paper.items.length })), h("span", { class: "stem" }, item.stem)),
        many ? h("p", { class: "hint" }, t("exam.hint_multiple")) : null, rows.map((row) => row.label)),
      itemState);
    previous.disabled = at === 0;
    setText(next, isLast() ? t("exam.handin") : t("exam.next") + " ›");
    stage.scrollTop = 0;
    update();
    if (focus) stage.focus();
  }

  // Brings marks, states and counts up to date without touching what has the focus.
  function update() {
    const item = paper.items[at];
    const chosen = paper.value(item.id);
    for (const row of rows) {
      row.input.checked = chosen.includes(row.key);
      row.label.classList.toggle("on", row.input.checked);
    }
    replaceIfChanged(itemState, stateOf(item));
    setText(flagButton, (paper.flagged(item.id) ? "⚑ " + t("exam.unflag") : "⚐ " + t("exam.flag")));
    flagButton.setAttribute("aria-pressed", String(paper.flagged(item.id)));
    const total = paper.counts();
    setText(progress, total.answered + "/" + total.total);
    setText(counts, t("exam.map_counts", total));
    paper.items.forEach((each, index) => markCell(cells[index], each, index === at));
  }

  function markCell(cell, item, current) {
    const words = [t(paper.answered(item.id) ? "exam.cell_answered" : "exam.cell_unanswered")];
    if (paper.flagged(item.id)) words.push(t("exam.cell_flagged"));
    if (paper.needsAttention(item.id)) words.push(t("exam.cell_attention"));
    const corner = paper.needsAttention(item.id) ? "!" : paper.flagged(item.id) ? "⚑" : "";
    setText(cell, item.n);
    cell.dataset.corner = corner;
    cell.className = "cell num" + (paper.answered(item.id) ? " full" : "") + (paper.state(item.id) === "tablet" ? " way" : "");
    cell.setAttribute("aria-label", item.n + ", " + words.join(", "));
    if (current) cell.setAttribute("aria-current", "step");
    else cell.removeAttribute("aria-current");
  }

  function words(item, value) {
    return value.length ? value.slice().sort().join("、") : t("exam.nothing_chosen");
  }

  function stateOf(item) {
    const state = paper.state(item.id);
    if (state === "conflict") {
      const [theirs, mine] = [paper.savedValue(item.id), paper.value(item.id)];
      return { key: state + theirs + "|" + mine, make: () => h("div", { class: "conflict" }, h("p", {}, t("exam.conflict_title")),
        h("div", { class: "two" },
          h("button", { type: "button", class: "button huge", onclick: () => acts.take(item, theirs) }, t("exam.conflict_room", { value: words(item, theirs) })),
          h("button", { type: "button", class: "button huge", onclick: () => acts.take(item, mine) }, t("exam.conflict_tablet", { value: words(item, mine) })))) };
    }
    const line = {
      none: ["", t("exam.state_none")],
      tablet: ["way", t("exam.state_tablet")],
      saved: ["good", t("exam.state_saved", { time: hms(paper.savedAt(item.id)) })],
      late: ["bad", t("exam.state_late")],
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
    show: showItem,
    index: () => at,
    tick(left) {
      setText(timer, left === null ? "--:--" : countdown(left));
      timer.classList.toggle("soon", left !== null && left <= WARN_MS);
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

export function setSize(size) {
  const wanted = Math.min(SIZES - 1, Math.max(0, size));
  document.documentElement.dataset.size = String(wanted);
  return wanted;
}
