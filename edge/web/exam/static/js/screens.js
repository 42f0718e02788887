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
  return panel("confirm", t("exam.confirm_title"), h("p", { class: "muted" }, pick(claim.session.title)), person(claim.candidate), help,
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

export function done({ facts, time, left, next }) {
  return panel("done", t("exam.done_title"), h("div", { class: "tick", "aria-hidden": "true" }, "✓"),
    facts ? h("p", { class: "lead num" }, t("exam.done_counts", { answered: facts.answered, total: facts.of, time })) : null,
    h("p", {}, t("exam.done_lead")), left ? h("p", { class: "notice warn", role: "alert" }, t("exam.still_sending", { count: left })) : null,
    h("button", { type: "button", class: "button quiet", onclick: next }, t("exam.done_next")));
}

export function gone({ sentence, left, again }) {
  return panel("gone", t("exam.gone_title"), h("p", { class: "notice bad", role: "alert" }, sentence),
    left ? h("p", { class: "notice warn" }, t("exam.gone_kept", { count: left })) : null,
    again ? h("button", { type: "button", class: "button main huge", onclick: again }, t("exam.gone_again")) : null);
}

export function otherTab() {
  return panel("quiet", t("exam.other_tab"));
}

// What lies over the paper: paused, time up, handing in. `back` where one may return to the paper.
export function cover({ kind, title, lead, warn, left, back }) {
  return h("div", { class: "cover " + kind, role: "dialog", "aria-modal": "true", "aria-labelledby": "cover-title" },
    h("section", { class: "panel" }, h("h1", { id: "cover-title", tabindex: "-1" }, title), h("p", { class: "lead" }, lead),
      warn ? h("p", { class: "notice warn", role: "alert" }, warn) : null,
      left ? h("p", { class: "num muted" }, t("exam.still_sending", { count: left })) : null,
      back ? h("button", { type: "button", class: "button huge", onclick: back }, t("exam.handin_no")) : null));
}

// The last question before the paper leaves: what is still open, and three ways on.
export function handInBox({ counts, toFirst, handIn }) {
  const then = (work) => () => {
    dialog.close();
    work();
  };
  const dialog = h("dialog", { class: "box", "aria-labelledby": "handin-title" }, h("div", { class: "inner" },
    h("h1", { id: "handin-title" }, t("exam.handin_title")),
    counts.unanswered
      ? h("p", { class: "notice warn" }, t("exam.handin_unanswered", { count: counts.unanswered }))
      : h("p", { class: "notice good" }, t("exam.handin_all", { total: counts.total })),
    counts.flagged ? h("p", { class: "notice" }, t("exam.handin_flagged", { count: counts.flagged })) : null,
    h("p", {}, t("exam.handin_final")),
    toFirst ? h("button", { type: "button", class: "button quiet", onclick: then(toFirst) }, t("exam.handin_first_unanswered")) : null,
    h("div", { class: "two" },
      h("button", { type: "button", class: "button huge", onclick: () => dialog.close() }, t("exam.handin_no")),
      h("button", { type: "button", class: "button main huge", onclick: then(handIn) }, t("exam.handin_yes")))));
  return dialog;
}
