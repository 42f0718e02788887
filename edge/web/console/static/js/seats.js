// The room from above: one tile a seat, where it stands; a touch opens what can be done for that candidate.

import { h, replace } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { openBox } from "/ui/static/js/dialog.js";
import { age } from "./age.js";

const SIGNS = { expected: "○", waiting: "!", admitted: "●", working: "✎", handed_in: "✓", finished: "✓", absent: "–" };

export function drawSeats(holder, board, acts) {
  const placed = board.seats.filter((seat) => seat.row && seat.column);
  const unseated = board.seats.filter((seat) => seat.person && !(seat.row && seat.column));
  const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.key : "";
  const columns = placed.reduce((n, seat) => Math.max(n, seat.column), 1);
  const grid = h("div", { class: "room" }, placed.map((seat) => {
    const element = tile(seat, board, acts);
    element.style.gridRow = String(seat.row);
    element.style.gridColumn = String(seat.column);
    return element;
  }));
  grid.style.gridTemplateColumns = "repeat(" + columns + ", minmax(118px, 1fr))";
  replace(holder, h("p", { class: "front" }, t("console.front")), h("div", { class: "scroll-x" }, grid),
    unseated.length ? [h("h3", {}, t("console.unseated") + " (" + unseated.length + ")"), h("div", { class: "loose" }, unseated.map((seat) => tile(seat, board, acts)))] : null);
  if (focused) {
    const again = holder.querySelector('[data-key="' + CSS.escape(focused) + '"]');
    if (again) again.focus();
  }
}

export function alarmText(alarm) {
  return t("console.alarm_" + alarm);
}

function tile(seat, board, acts) {
  if (!seat.person) return h("div", { class: "seat free" }, h("span", { class: "place num" }, seat.seat), h("span", { class: "muted small" }, t("console.seat_free")));
  const alarms = seat.alarms || [];
  const running = board.session.state === "running";
  const share = seat.of ? Math.round((100 * seat.answered) / seat.of) : 0;
  const bar = h("span", { class: "bar", "aria-hidden": "true" }, h("span", {}));
  bar.firstChild.style.width = share + "%";
  const progress = seat.of > 0 && ["working", "admitted", "handed_in", "finished"].includes(seat.state) && board.session.state !== "checkin";
  return h("button", { type: "button", class: "seat " + seat.state + (alarms.length ? " alarm" : ""), "data-key": seat.person, onclick: () => detail(seat, board, acts) },
    h("span", { class: "line" }, h("span", { class: "place num" }, seat.seat || "–"), h("span", { class: "sign" }, h("span", { "aria-hidden": "true" }, SIGNS[seat.state]), " ", t("console.state_" + seat.state))),
    h("span", { class: "name" }, seat.name, h("span", { class: "num muted small" }, " " + seat.number)),
    progress ? h("span", { class: "line num small" }, bar, t("console.answered", seat)) : null,
    alarms.length ? h("span", { class: "alarm-line" }, "⚠ " + alarms.map(alarmText).join("，"))
      : running && seat.state === "working" ? h("span", { class: "small muted num" }, savedText(seat, board.now)) : null);
}

function savedText(seat, now) {
  return seat.saved_ms ? t("console.saved_ago", { age: age(now - seat.saved_ms) }) : t("console.not_saved");
}

function detail(seat, board, acts) {
  const inside = ["admitted", "working"].includes(seat.state);
  const running = board.session.state === "running";
  const buttons = [];
  const add = (label, action, kind) => buttons.push(h("button", { type: "button", class: "button " + (kind || ""), onclick: () => { dialog.close(); action(); } }, label));
  if (running && inside) add(t("console.act_add_time"), acts.addTime(seat));
  if (inside) add(t("console.act_release"), acts.release(seat));
  if (["waiting", "expected"].includes(seat.state) && ["checkin", "running"].includes(board.session.state)) {
    add(t("console.act_admit"), acts.admit(seat, "manual"), "main");
    add(t("console.act_absent"), acts.absent(seat), "stop");
  }
  add(t("console.act_incident"), acts.incident(seat));
  const fact = (label, value) => (value ? h("div", {}, h("dt", {}, label), h("dd", { class: "num" }, value)) : null);
  const dialog = h("dialog", { class: "box", "aria-labelledby": "seat-title" }, h("div", { class: "inner" },
    h("div", { class: "row ends" }, h("h2", { id: "seat-title" }, seat.name + "  " + t("console.number", { number: seat.number })),
      h("span", { class: "tag" }, t("console.state_" + seat.state))),
    h("dl", { class: "facts" }, fact(t("console.seats"), seat.seat), fact(t("console.seat_code"), inside ? seat.seat_code : ""),
      fact(t("console.route"), seat.route ? t("console.route_" + seat.route) : ""), fact(t("console.answered_label"), seat.of ? t("console.answered", seat) : ""),
      fact(t("console.act_add_time"), seat.extra_minutes ? t("console.extra", { n: seat.extra_minutes }) : "")),
    seat.saved_ms ? h("p", { class: "muted" }, savedText(seat, board.now)) : null,
    (seat.alarms || []).map((alarm) => h("p", { class: "notice bad" }, alarmText(alarm))),
    h("div", { class: "choices" }, buttons),
    h("div", { class: "row right" }, h("button", { type: "button", class: "button quiet", onclick: () => dialog.close() }, t("console.close_box")))));
  openBox(dialog);
}
