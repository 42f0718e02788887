// What a proctor can do, each behind a dialog that says what it means and asks for the reason.

import { h } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { postJSON } from "/ui/static/js/http.js";
import { ask, reasonField, toast } from "/ui/static/js/dialog.js";

const EXTRA_MINUTES = [5, 10, 15, 30];

export function createActs(base, took) {
  async function send(act, body, label) {
    const answer = await postJSON(base + "/" + act, body);
    if (answer && answer.board) took(answer.board);
    toast("good", t("console.done", { act: label }));
  }

  // An act whose only question is why.
  function withReason(act, label, lead, phrases, more = {}) {
    return () => ask({
      title: label, lead, button: label, danger: more.danger, fields: [more.fields || null, reasonField(phrases)],
      act: (form) => send(act, Object.assign({ reason: form.elements.reason.value.trim() }, more.body && more.body(form)), label),
    });
  }

  // An act that is its own reason.
  function plain(act, label, lead) {
    return () => ask({ title: label, lead, button: label, act: () => send(act, {}, label) });
  }

  function minutesField() {
    const input = h("input", { name: "minutes", type: "number", min: 1, max: 240, step: 1, required: true, value: 10, inputmode: "numeric" });
    const quick = EXTRA_MINUTES.map((n) => h("button", { type: "button", class: "button slim num", onclick: () => { input.value = n; } }, String(n)));
    return h("div", {}, h("label", { class: "field" }, h("span", {}, t("console.minutes")), input), h("div", { class: "choices" }, quick));
  }

  function addTime(who) {
    const lead = who ? t("console.lead_add_time_one", { name: who.name }) : t("console.lead_add_time_all");
    return withReason("add-time", t("console.act_add_time"), lead, [t("console.phrase_lost_time"), t("console.phrase_need")], {
      fields: minutesField(), body: (form) => ({ person: who ? who.person : null, minutes: Number(form.elements.minutes.value) }),
    });
  }

  function admit(who, route) {
    const options = [["manual", t("console.route_manual")], ["policy", t("console.route_policy")]];
    const field = h("label", { class: "field" }, h("span", {}, t("console.route")),
      h("select", { name: "route" }, options.map(([value, label]) => h("option", { value, selected: value === route }, label))));
    return withReason("admit", t("console.act_admit"), t("console.lead_admit", { name: who.name }),
      [t("console.phrase_document"), t("console.phrase_declined")],
      { fields: field, body: (form) => ({ person: who.person, route: form.elements.route.value }) });
  }

  function person(act, key, who, phrases, danger) {
    return withReason(act, t("console.act_" + key), t("console.lead_" + key, { name: who.name }), phrases, { danger, body: () => ({ person: who.person }) });
  }

  const KINDS = ["power", "device", "conduct", "health", "other"];

  function incident(who) {
    return () => ask({
      title: t("console.act_incident"), lead: who ? t("console.incident_about", { name: who.name }) : "", button: t("console.act_incident"),
      fields: [
        h("label", { class: "field" }, h("span", {}, t("console.incident_kind")),
          h("select", { name: "kind" }, KINDS.map((kind) => h("option", { value: kind }, t("console.kind_" + kind))))),
        h("label", { class: "field" }, h("span", {}, t("console.incident_text")), h("textarea", { name: "text", required: true, minlength: 2, maxlength: 2000 })),
      ],
      act: (form) => send("incident", { kind: form.elements.kind.value, text: form.elements.text.value.trim(), person: who ? who.person : null }, t("console.act_incident")),
    });
  }

  return {
    admit,
    addTime,
    incident,
    deny: (who) => person("deny", "deny", who, [t("console.phrase_not_person"), t("console.phrase_no_document")], true),
    release: (who) => person("release-tablet", "release", who, [t("console.phrase_tablet")], false),
    absent: (who) => person("absent", "absent", who, [t("console.phrase_not_come")], true),
    // The buttons of the moment: [label, action, kind]. The first is what usually comes next.
    ofSession(board) {
      const { session, counts } = board;
      const close = withReason("close", t("console.act_close"), t("console.lead_close", { working: counts.working }),
        [t("console.phrase_end"), t("console.phrase_all_in")], { danger: true });
      const byState = {
        planned: () => [[t("console.act_open_checkin"), plain("open-checkin", t("console.act_open_checkin"), t("console.lead_open_checkin")), "main"]],
        checkin: () => [[t("console.act_start"), plain("start", t("console.act_start"), t("console.lead_start", counts)), "main"]],
        running: () => [
          session.clock.s === "paused"
            ? [t("console.act_resume"), withReason("resume", t("console.act_resume"), t("console.lead_resume"), [t("console.phrase_fixed")]), "main"]
            : [t("console.act_pause"), withReason("pause", t("console.act_pause"), t("console.lead_pause"), [t("console.phrase_power"), t("console.phrase_announce")]), ""],
          [t("console.act_add_time"), addTime(null), ""],
          [t("console.act_close"), close, "stop"],
        ],
        closed: () => [[t("console.act_sign"), plain("sign", t("console.act_sign"), t("console.lead_sign")), "main"]],
        signed: () => [],
      };
      return (byState[session.state] || byState.signed)().concat([[t("console.act_incident"), incident(null), ""]]);
    },
  };
}
