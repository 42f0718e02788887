// The room from above: one tile a seat, where it stands; a touch opens what can be done for that candidate.
// A tile is drawn again only when what it shows has changed: two hundred seats stay calm, and so does a finger.

import { h, replace, setText } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { countdown, hms } from "/ui/static/js/time.js";
import { openBox } from "/ui/static/js/dialog.js";
import { age } from "./age.js";

const SIGNS = { expected: "○", waiting: "!", admitted: "●", working: "✎", handed_in: "✓", finished: "✓", absent: "–" };
const LINKS = { good: "●", slow: "◐", silent: "○", none: "◌" };
const INSIDE = ["admitted", "working"];
// Only these are pressing; the others are worth knowing.
const PRESSING = ["tablet_silent", "second_device", "answers_refused", "second_tablet", "kept_answers", "answers_waiting", "no_tablet", "seb_refused"];

let onlyAttention = false;
const tiles = new Map();
let shape = "";

export function needsAttention(seat) {
  return Boolean(seat.person) && (seat.state === "waiting" || (seat.alarms || []).length > 0);
}

export function drawSeats(holder, board, acts) {
  const seats = onlyAttention ? board.seats.filter(needsAttention) : board.seats;
  const columns = board.seats.reduce((n, seat) => Math.max(n, seat.column || 0), 1);
  const wanted = JSON.stringify([onlyAttention, board.session.id, seats.map((seat) => [seat.person || seat.seat, seat.row, seat.column])]);
  if (wanted !== shape) lay(holder, board, seats, columns);
  shape = wanted;
  setText(holder.querySelector(".attention-count"), String(board.seats.filter(needsAttention).length));
  for (const seat of seats) place(seat, board, acts);
  tickSeats(board.now, board.session.clock.left);
}

// The frame: which tiles there are and where. `place` fills them.
function lay(holder, board, seats, columns) {
  const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.key : "";
  tiles.clear();
  const slot = (seat, fixed) => {
    const element = h("div", { class: "slot" });
    if (fixed && !onlyAttention) {
      element.style.gridRow = String(seat.row);
      element.style.gridColumn = String(seat.column);
    }
    tiles.set(seat.person || seat.seat, { slot: element, key: "", seat });
    return element;
  };
  const placed = seats.filter((seat) => seat.row && seat.column);
  const loose = seats.filter((seat) => seat.person && !(seat.row && seat.column));
  const grid = h("div", { class: "room" + (onlyAttention ? " packed" : "") }, placed.map((seat) => slot(seat, true)));
  if (!onlyAttention) grid.style.gridTemplateColumns = "repeat(" + columns + ", minmax(112px, 1fr))";
  const filter = h("button", { type: "button", class: "button slim filter", id: "attention", "aria-pressed": onlyAttention ? "true" : "false",
    onclick: () => { onlyAttention = !onlyAttention; holder.dispatchEvent(new CustomEvent("redraw", { bubbles: true })); } },
  "⚠ " + t("console.needs_attention") + " ", h("span", { class: "attention-count num badge" }, ""));
  replace(holder, h("div", { class: "row ends seats-head" }, h("h2", {}, t("console.seats")), filter),
    onlyAttention ? null : h("p", { class: "front" }, t("console.front")), h("div", { class: "scroll-x" }, grid),
    onlyAttention && !seats.length ? h("p", { class: "notice good" }, t("console.all_quiet")) : null,
    loose.length ? [h("h3", {}, t("console.unseated") + " (" + loose.length + ")"), h("div", { class: "loose" }, loose.map((seat) => slot(seat, false)))] : null);
  if (focused) requestAnimationFrame(() => {
    const again = holder.querySelector('[data-key="' + CSS.escape(focused) + '"]');
    if (again) again.focus();
  });
}

function place(seat, board, acts) {
  const holder = tiles.get(seat.person || seat.seat);
  const key = JSON.stringify([seat, board.session.state, board.session.clock.s]);
  holder.seat = seat;
  if (holder.key === key) return;
  holder.key = key;
  const had = holder.slot.contains(document.activeElement);
  replace(holder.slot, tile(seat, board, acts));
  if (had && holder.slot.firstChild.focus) holder.slot.firstChild.focus();
}

// What grows older by itself: ages and each seat's time left.
export function tickSeats(now, left) {
  for (const { slot, seat } of tiles.values()) {
    const saved = slot.querySelector(".saved");
    if (saved) setText(saved, savedShort(seat, now));
    const own = slot.querySelector(".own-time");
    if (own) setText(own, countdown(left + seat.more_ms));
  }
}

export function alarmText(alarm, seat) {
  return t("console.alarm_" + alarm, { n: seat.kept, queued: seat.queued, lost: seat.focus_lost, since: seat.away_ms ? hms(seat.away_ms) : "" });
}

function tile(seat, board, acts) {
  if (!seat.person) return h("div", { class: "seat free" }, h("span", { class: "place num" }, seat.seat), h("span", { class: "muted small" }, t("console.seat_free")));
  const alarms = seat.alarms || [];
  const pressing = alarms.some((alarm) => PRESSING.includes(alarm));
  const running = board.session.state === "running";
  const share = seat.of ? Math.round((100 * seat.answered) / seat.of) : 0;
  const bar = h("span", { class: "bar", "aria-hidden": "true" }, h("span", {}));
  bar.firstChild.style.width = share + "%";
  const progress = seat.of > 0 && ["working", "admitted", "handed_in", "finished"].includes(seat.state) && board.session.state !== "checkin";
  return h("button", { type: "button", class: "seat " + seat.state + (pressing ? " alarm" : alarms.length ? " notable" : ""), "data-key": seat.person, onclick: () => detail(seat, board, acts) },
    h("span", { class: "line" }, h("span", { class: "place num" }, seat.seat || "–"), h("span", { class: "sign" }, h("span", { "aria-hidden": "true" }, seat.paused ? "Ⅱ" : SIGNS[seat.state]), " ", t("console.state_" + seat.state))),
    h("span", { class: "name" }, seat.name, h("span", { class: "num muted small" }, " " + seat.number)),
    progress ? h("span", { class: "line num small" }, bar, t("console.answered", seat)) : null,
    running && INSIDE.includes(seat.state) ? h("span", { class: "line small muted num" },
      h("span", { class: "link-" + seat.link, title: t("console.link_" + seat.link) }, h("span", { "aria-hidden": "true" }, LINKS[seat.link]), h("span", { class: "sr" }, t("console.link_" + seat.link))),
      seat.more_ms ? h("span", { class: "own-time" }, "") : null, h("span", { class: "saved" }, "")) : null,
    alarms.length ? h("span", { class: "alarm-line" }, (pressing ? "⚠ " : "△ ") + alarmText(alarms[0], seat) + (alarms.length > 1 ? " +" + (alarms.length - 1) : "")) : null);
}

function savedText(seat, now) {
  return seat.saved_ms ? t("console.saved_ago", { age: age(now - seat.saved_ms) }) : t("console.not_saved");
}

// The same where there is little room.
function savedShort(seat, now) {
  return seat.saved_ms ? t("console.saved_short", { age: age(now - seat.saved_ms) }) : t("console.not_saved");
}

function detail(seat, board, acts) {
  const inside = INSIDE.includes(seat.state);
  const running = board.session.state === "running";
  const buttons = [];
  const add = (label, action, kind) => buttons.push(h("button", { type: "button", class: "button " + (kind || ""), onclick: () => { dialog.close(); action(); } }, label));
  if (running && inside) add(t("console.act_release"), acts.release(seat), "main");
  if (running && inside) add(t("console.act_add_time"), acts.addTime(seat));
  if (running && inside) add(t("console.act_shorten"), acts.shorten(seat));
  if (running && inside) add(t("console.act_" + (seat.paused ? "resume_one" : "pause_one")), acts.pausePerson(seat));
  if (inside && !running) add(t("console.show_code"), () => acts.showCode(seat));
  if (["waiting", "expected", "absent"].includes(seat.state) && ["checkin", "running"].includes(board.session.state)) add(t("console.act_admit"), acts.admit(seat), "main");
  if (board.session.state === "checkin" || (running && inside)) add(t("console.act_settings"), acts.settings(seat));
  if ((seat.alarms || []).includes("seb_refused")) add(t("console.act_exempt"), acts.exempt(seat));
  if (seat.state === "waiting") add(t("console.act_retry"), acts.retry(seat));
  if (seat.kept) add(t("console.act_kept", { n: seat.kept }), acts.kept(seat));
  if (seat.person && !board.session.practice) add(t("console.act_consent"), acts.consent(seat));
  add(t("console.act_incident"), acts.incident(seat));
  if (["waiting", "expected"].includes(seat.state) && ["checkin", "running"].includes(board.session.state)) add(t("console.act_absent"), acts.absent(seat), "stop");
  if (running && inside) add(t("console.act_hand_in"), acts.handIn(seat), "stop");
  const fact = (label, value) => (value ? h("div", {}, h("dt", {}, label), h("dd", { class: "num" }, value)) : null);
  const linked = seat.link ? t("console.link_" + seat.link) + (seat.seen_ms ? " " + hms(seat.seen_ms) : "") : "";
  const dialog = h("dialog", { class: "box", "aria-labelledby": "seat-title" }, h("div", { class: "inner" },
    h("div", { class: "row ends" }, h("h2", { id: "seat-title" }, seat.name + "  " + t("console.number", { number: seat.number })),
      h("span", { class: "tag" }, t("console.state_" + seat.state))),
    h("dl", { class: "facts" }, fact(t("console.seat"), seat.seat), fact(t("console.seat_code"), inside ? seat.seat_code : ""),
      fact(t("console.route"), seat.route ? t("console.route_" + seat.route) : ""), fact(t("console.answered_label"), seat.of ? t("console.answered", seat) : ""),
      fact(t("console.connection"), linked), fact(t("console.act_add_time"), seat.extra_minutes ? t("console.extra", { n: seat.extra_minutes }) : "")),
    seat.saved_ms ? h("p", { class: "muted" }, savedText(seat, board.now)) : null,
    seat.handed_in_by && seat.handed_in_by !== "candidate" ? h("p", { class: "muted" }, t("console.handed_in_for")) : null,
    (seat.alarms || []).map((alarm) => h("p", { class: "notice " + (PRESSING.includes(alarm) ? "bad" : "warn") }, alarmText(alarm, seat))),
    h("div", { class: "choices" }, buttons),
    h("div", { class: "row right" }, h("button", { type: "button", class: "button quiet", onclick: () => dialog.close() }, t("console.close_box")))));
  openBox(dialog);
}
