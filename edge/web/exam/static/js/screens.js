// The screens around the paper: connecting, seat code, "is this you", waiting, and the covers that lie over the paper.

import { h } from "/ui/static/js/dom.js";
import { t, pick } from "/ui/static/js/text.js";

const DIGITS = 6;

function panel(kind, title, ...children) {
  return h("main", { class: "screen " + kind }, h("section", { class: "panel" }, h("h1", { tabindex: "-1" }, title), children));
}

export function connecting() {
  return panel("quiet", t("exam.connecting"), h("p", { class: "muted" }, t("exam.connecting_hint")), h("span", { class: "busy" }));
}

// `submit(code)` returns a failure's sentence, or nothing once it has gone well.
export function seatCode({ notice, others, submit }) {
  const trouble = h("p", { class: "notice bad", role: "alert", hidden: !notice }, notice || "");
  const field = h("input", {
    id: "seat-code", class: "code num", inputmode: "numeric", autocomplete: "off", pattern: "[0-9]*", maxlength: DIGITS,
    "aria-label": t("exam.seat_code"), "aria-describedby": "seat-lead", name: "seat_code",
  });
  const say = (sentence) => {
    trouble.textContent = sentence;
    trouble.hidden = !sentence;
  };
  const press = (key) => {
    field.value = key === "del" ? field.value.slice(0, -1) : (field.value + key).slice(0, DIGITS);
    say("");
  };
  const keys = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "del", "0", "ok"].map((key) => {
    if (key === "ok") return h("button", { class: "key go" }, t("exam.ok"));
    const label = key === "del" ? t("exam.delete") : key;
    return h("button", { type: "button", class: "key" + (key === "del" ? " word" : " num"), onclick: () => press(key) }, label);
  });
  const form = h("form", { class: "numpad", novalidate: true }, field, h("div", { class: "keys" }, keys));
  let going = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const code = field.value.replace(/\D/g, "");
    if (going) return;
    if (code.length < DIGITS) {
      say(t("exam.digits_short", { count: DIGITS - code.length }));
      return;
    }
    going = true;
    const sentence = await submit(code);
    going = false;
    if (sentence) {
      say(sentence);
      field.value = "";
    }
  });
  return panel("seat", t("exam.seat_title"), h("p", { id: "seat-lead", class: "muted" }, t("exam.seat_lead")),
    others ? h("p", { class: "notice warn" }, t("exam.others_left", { count: others })) : null, trouble, form);
}

export function person(candidate) {
  const line = (label, text) => h("div", {}, h("dt", {}, label), h("dd", { class: "num" }, text));
  return h("dl", { class: "person" }, line(t("exam.name"), candidate.name_masked), line(t("exam.seat"), candidate.seat || "-"),
    line(t("exam.number"), String(candidate.number)));
}

export function confirmPerson({ claim, yes, no }) {
  const help = h("p", { class: "notice warn", role: "alert", hidden: true }, t("exam.confirm_no_help"));
  const again = h("button", { type: "button", class: "button", hidden: true, onclick: no }, t("exam.gone_again"));
  const refuse = () => {
    help.hidden = false;
    again.hidden = false;
  };
  return panel("confirm", t("exam.confirm_title"), h("p", { class: "muted" }, pick(claim.session.title)), person(claim.candidate),
    claim.session.lockdown === "none" ? null : h("p", { class: "notice" }, t("exam.watch_told")),
    claim.session.sound ? h("p", { class: "notice" }, t("exam.sound_told")) : null, help,
    h("div", { class: "two" },
      h("button", { type: "button", class: "button huge", onclick: refuse }, t("exam.confirm_no")),
      h("button", { type: "button", class: "button main huge", onclick: yes }, t("exam.confirm_yes"))), again);
}

export function waiting({ claim, connected }) {
  return panel("waiting", t("exam.waiting_title"), claim ? person(claim.candidate) : null,
    claim && claim.session.practice ? h("p", {}, h("span", { class: "tag warn" }, t("exam.practice"))) : null,
    h("p", { class: "lead" }, t("exam.waiting_lead")),
    h("ul", { class: "tips" }, [t("exam.waiting_save"), t("exam.waiting_net"), t("exam.waiting_flag")].map((tip) => h("li", {}, tip))),
    connected ? null : h("p", { class: "notice warn", role: "alert" }, t("exam.connecting_hint")));
}

// facts: {answered, of, at_ms, late, missed}; only `missed` when the room closed the paper without being asked.
export function done({ facts, time, left, wiped, next }) {
  const counted = typeof facts.answered === "number";
  const inTime = counted && !facts.late;
  return panel("done", t(inTime ? "exam.done_title" : "exam.closed_title"), h("div", { class: "tick", "aria-hidden": "true" }, "✓"),
    counted ? h("p", { class: "lead num" }, t("exam.done_counts", { answered: facts.answered, total: facts.of, time })) : null,
    inTime ? null : h("p", {}, t("exam.closed_lead")),
    facts.missed ? h("p", { class: "notice warn" }, t("exam.late_count", { count: facts.missed })) : null,
    h("p", {}, t("exam.done_lead")), left ? h("p", { class: "notice warn", role: "status" }, t("exam.still_sending", { count: left })) : h("p", { class: wiped ? "muted" : "notice warn", role: "status" }, t(wiped ? "exam.done_wiped" : "exam.done_wiping")),
    h("button", { type: "button", class: "button", onclick: next }, t("exam.done_next")));
}

// left: answers still here; kept: whether they would outlive a reload; handed: those that the proctor has now; sending:
// whether they are on their way.
export function gone({ sentence, left, kept, handed, sending, wiped, again }) {
  return panel("gone", t("exam.gone_title"), h("p", { class: "notice bad", role: "alert" }, sentence),
    handed ? h("p", { class: "notice good", role: "status" }, t("exam.gone_handed", { count: handed })) : null,
    left ? h("p", { class: "notice warn" }, t(sending ? "exam.still_sending" : kept ? "exam.gone_kept" : "exam.gone_page", { count: left })) : null,
    wiped && !left ? h("p", { class: "muted" }, t("exam.gone_wiped")) : null,
    again ? h("button", { type: "button", class: "button main huge", onclick: again }, t("exam.gone_again")) : null);
}

export function otherTab({ take }) {
  return panel("quiet other-tab", t("exam.other_tab_title"), h("p", { class: "notice warn", role: "alert" }, t("exam.other_tab")),
    h("button", { type: "button", class: "button main huge", onclick: take }, t("exam.other_tab_take")));
}

// What lies over the paper: paused, time up, handing in, between two parts. acts: [[label, what it does], ...].
export function cover({ kind, title, lead, warn, left, acts }) {
  return h("div", { class: "cover " + kind, role: "dialog", "aria-modal": "true", "aria-labelledby": "cover-title" },
    h("section", { class: "panel" }, h("h1", { id: "cover-title", tabindex: "-1" }, title), lead ? h("p", { class: "lead" }, lead) : null,
      warn ? h("p", { class: "notice warn", role: "alert" }, warn) : null,
      left ? h("p", { class: "num muted", role: "status" }, t("exam.still_sending", { count: left })) : null,
      (acts || []).map(([label, act]) => h("button", { type: "button", class: "button huge wide", onclick: act }, label))));
}

function box(id, ...children) {
  return h("dialog", { class: "box", "aria-labelledby": id }, h("div", { class: "inner" }, children));
}

// The next part has a limit, or the one that is left cannot be returned to: begun on purpose.
export function partBox({ name, from, minutes, start }) {
  const dialog = box("part-title", h("h1", { id: "part-title" }, name),
    minutes ? h("p", { class: "notice" }, t("exam.part_box_minutes", { minutes })) : null,
    from ? h("p", { class: "notice warn" }, t("exam.part_box_leave", { title: from })) : null,
    h("div", { class: "two" },
      h("button", { type: "button", class: "button huge", onclick: () => dialog.close() }, t("exam.part_box_no")),
      h("button", { type: "button", class: "button main huge", onclick: () => { dialog.close(); start(); } }, t("exam.part_box_yes"))));
  return dialog;
}

// The last question before the paper leaves: what is still open, and three ways on.
export function handInBox({ counts, unopened, toFirst, handIn, offline }) {
  const then = (work) => () => {
    dialog.close();
    work();
  };
  const dialog = box("handin-title",
    h("h1", { id: "handin-title" }, t("exam.handin_title")),
    counts.unanswered
      ? h("p", { class: "notice warn" }, t("exam.handin_unanswered", { count: counts.unanswered }))
      : h("p", { class: "notice good" }, t("exam.handin_all", { total: counts.total })),
    unopened ? h("p", { class: "notice warn" }, t("exam.handin_unopened", { count: unopened })) : null,
    counts.flagged ? h("p", { class: "notice" }, t("exam.handin_flagged", { count: counts.flagged })) : null,
    offline ? h("p", { class: "notice" }, t(offline)) : null,
    h("p", {}, t("exam.handin_final")),
    toFirst ? h("button", { type: "button", class: "button", onclick: then(toFirst) }, t("exam.handin_first_unanswered")) : null,
    h("div", { class: "two" },
      h("button", { type: "button", class: "button huge", onclick: () => dialog.close() }, t("exam.handin_no")),
      h("button", { type: "button", class: "button main huge", onclick: then(handIn) }, t("exam.handin_yes"))));
  return dialog;
}
