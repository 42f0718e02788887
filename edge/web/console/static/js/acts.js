// What a proctor can do, each behind a dialog that says what it means and asks for the reason.

import { h } from "/ui/static/js/dom.js";
import { pick, t } from "/ui/static/js/text.js";
import { openBox } from "/ui/static/js/dialog.js";
import { consentDialog, facesDialog } from "./faces.js";
import { incidentDialog } from "./incident.js";
import { keptDialog } from "./kept.js";
import { createSender } from "./send.js";
import { settingsFields, settingsOf } from "./settings.js";
import { unlockDialog } from "./unlock.js";

const EXTRA_MINUTES = [5, 10, 15, 30];

// get(): the board on the screen.
export function createActs(base, took, get) {
  const sender = createSender(base, took, () => get().session.two_person || []);
  const { withReason } = sender;
  // an act of every session, with the reason it mostly has
  const usual = (act, lead, phrase, more) => withReason(act, t("console.act_" + act.replace("-", "_")), lead, [t("console.phrase_" + phrase)], Object.assign({ usual: true }, more));

  function minutesField(value, label) {
    const input = h("input", { name: "minutes", type: "number", min: 1, max: 240, step: 1, required: true, value, inputmode: "numeric" });
    const quick = EXTRA_MINUTES.map((n) => h("button", { type: "button", class: "button slim num", onclick: () => { input.value = n; } }, String(n)));
    return h("div", {}, h("label", { class: "field" }, h("span", {}, t(label || "console.minutes")), input), h("div", { class: "choices" }, quick));
  }

  function addTime(who) {
    const lead = who ? t("console.lead_add_time_one", { name: who.name }) : t("console.lead_add_time_all");
    return withReason("add-time", t("console.act_add_time"), lead, [t("console.phrase_lost_time"), t("console.phrase_need")], {
      fields: () => minutesField(10), body: (form) => ({ person: who ? who.person : null, minutes: Number(form.elements.minutes.value) }),
    });
  }

  // The case as it stood when the dialog was opened: another proctor may decide it while this one types.
  // Badge plus proctor is offered where the door sent them so.
  function admit(who) {
    let open = null;
    const fields = () => {
      open = get().waiting.find((one) => one.person === who.person) || null;
      const routes = open && open.route === "policy" ? ["policy", "manual"] : ["manual"];
      return h("div", {},
        h("label", { class: "field" }, h("span", {}, t("console.route")),
          h("select", { name: "route" }, routes.map((value) => h("option", { value }, t("console.route_" + value))))),
        get().session.late ? h("label", { class: "notice warn late" }, h("input", { name: "late", type: "checkbox", required: true }), " " + t("console.late_admission")) : null);
    };
    const body = (form) => ({ person: who.person, route: form.elements.route.value, case: open && open.checkin, late: Boolean(form.elements.late && form.elements.late.checked) });
    return withReason("admit", t("console.act_admit"), t("console.lead_admit", { name: who.name }),
      [t("console.phrase_document"), t("console.phrase_declined"), t("console.phrase_late")],
      { fields, policyNames: ["admit-manual", "admit-policy"], body });
  }

  function person(act, key, who, phrases, more = {}) {
    return withReason(act, t("console.act_" + key), t("console.lead_" + key, { name: who.name }), phrases,
      Object.assign({ body: () => ({ person: who.person }) }, more));
  }

  // One act for the proctor; then the six digits stand large, for the candidate to type on the next tablet.
  function release(who) {
    return person("release-tablet", "release", who, [t("console.phrase_tablet"), t("console.phrase_battery")], { then: () => showCode(who) });
  }

  function showCode(who) {
    const dialog = h("dialog", { class: "box code-box", "aria-labelledby": "code-title" }, h("div", { class: "inner" },
      h("h2", { id: "code-title" }, t("console.code_title", { name: who.name, seat: who.seat || "–" })),
      h("p", { class: "code num" }, String(who.seat_code || "").replace(/(...)(...)/, "$1 $2")),
      h("p", {}, t("console.code_lead")),
      h("div", { class: "row right" }, h("button", { type: "button", class: "button main", onclick: () => dialog.close() }, t("console.close_box")))));
    openBox(dialog);
  }

  function pausePerson(who) {
    return who.paused ? person("resume", "resume_one", who, [t("console.phrase_fixed")])
      : person("pause", "pause_one", who, [t("console.phrase_tablet"), t("console.phrase_health")]);
  }

  function credit(outage) {
    const seconds = outage.proposed_seconds;
    return withReason("credit-outage", t("console.act_credit"), t("console.lead_credit", { seconds }), [t("console.phrase_power"), t("console.phrase_lost_time")],
      { fields: () => h("label", { class: "field" }, h("span", {}, t("console.credit_seconds")),
        h("input", { name: "seconds", type: "number", min: 1, max: 14400, step: 1, required: true, value: seconds, inputmode: "numeric" })),
        body: (form) => ({ outage: outage.id, seconds: Number(form.elements.seconds.value) }) });
  }

  // After a power cut: the standing clock gave everybody its length, which the proctor confirms or takes back.
  const confirmStandstill = (outage) => withReason("settle-standstill", t("console.act_confirm_standstill"), t("console.lead_confirm_standstill"), [t("console.phrase_nobody_worked")],
    { body: () => ({ outage: outage.id, seconds: 0 }) });

  function takeBack(outage) {
    return withReason("settle-standstill", t("console.act_take_back"), t("console.lead_take_back"), [t("console.phrase_worked_on")],
      { fields: () => h("label", { class: "field" }, h("span", {}, t("console.take_back_seconds")),
        h("input", { name: "seconds", type: "number", min: 1, max: outage.seconds === null ? 14400 : outage.seconds, step: 1, required: true, value: outage.seconds === null ? "" : outage.seconds, inputmode: "numeric" })),
        body: (form) => ({ outage: outage.id, seconds: Number(form.elements.seconds.value) }) });
  }

  function shorten(who) {
    const lead = who ? t("console.lead_shorten_one", { name: who.name }) : t("console.lead_shorten");
    return withReason("shorten-time", t("console.act_shorten"), lead, [t("console.phrase_wrong_limit")],
      { danger: true, fields: () => minutesField(5, "console.minutes_less"), body: (form) => ({ person: who ? who.person : null, minutes: Number(form.elements.minutes.value) }) });
  }

  function partLimit() {
    const limited = get().session.parts;
    const choice = h("select", { name: "part" }, limited.map((one) => h("option", { value: one.part }, t("console.part_now", { title: pick(one.title), minutes: one.minutes }))));
    const fields = h("div", {}, h("label", { class: "field" }, h("span", {}, t("console.part")), choice), minutesField(limited[0].minutes, "console.minutes_part"));
    choice.addEventListener("change", () => { fields.querySelector("[name=minutes]").value = limited[choice.selectedIndex].minutes; });
    withReason("set-part-limit", t("console.act_part_limit"), t("console.lead_part_limit"), [t("console.phrase_wrong_limit")],
      { danger: true, fields: () => fields, body: (form) => ({ part: Number(form.elements.part.value), minutes: Number(form.elements.minutes.value) }) })();
  }

  const close = (counts) => withReason("close", t("console.act_close"), t("console.lead_close", { working: counts.working }) + t("console.no_way_back"),
    [t("console.phrase_end"), t("console.phrase_all_in")], { danger: true });

  return {
    admit,
    addTime,
    shorten,
    credit,
    confirmStandstill,
    takeBack,
    release,
    pausePerson,
    showCode,
    incident: (who, corrects) => () => incidentDialog(sender, get(), who, corrects),
    kept: (who) => () => keptDialog(base, sender, get(), who),
    deny: (who) => person("deny", "deny", who, [t("console.phrase_not_person"), t("console.phrase_no_document")], { danger: true }),
    retry: (who) => person("retry", "retry", who, [t("console.phrase_look_again"), t("console.phrase_wrong_badge")]),
    consent: (who) => () => consentDialog(base, sender, who),
    faces: () => facesDialog(base),
    exempt: (who) => person("seb-exempt", "exempt", who, [t("console.phrase_no_browser"), t("console.phrase_tablet")]),
    settings: (who) => person("set-settings", "settings", who, [t("console.phrase_sight"), t("console.phrase_need")],
      { fields: settingsFields, body: (form) => ({ person: who.person, settings: settingsOf(form) }) }),
    absent: (who) => person("absent", "absent", who, [t("console.phrase_not_come")], { danger: true }),
    handIn: (who) => person("hand-in", "hand_in", who, [t("console.phrase_left"), t("console.phrase_misconduct")], { danger: true }),
    // The buttons of the moment: [label, action, kind]. The first is what usually comes next.
    ofSession(board) {
      const { session, counts } = board;
      const remove = usual("delete-practice", t("console.lead_delete_practice"), "practice_over",
        { danger: true, then: () => location.assign("/console/") });
      const byState = {
        planned: () => [[t("console.act_open_checkin"), usual("open-checkin", t("console.lead_open_checkin"), "as_planned"), session.locked_bank ? "" : "main"]],
        checkin: () => [[t("console.act_start"), usual("start", t("console.lead_start", counts), "all_here"), "main"]],
        running: () => [
          session.clock.s === "paused"
            ? [t("console.act_resume"), withReason("resume", t("console.act_resume"), t("console.lead_resume"), [t("console.phrase_fixed")]), "main"]
            : [t("console.act_pause"), withReason("pause", t("console.act_pause"), t("console.lead_pause"), [t("console.phrase_power"), t("console.phrase_announce")]), ""],
          [t("console.act_add_time"), addTime(null), ""],
          [t("console.act_shorten"), shorten(null), ""],
        ].concat(session.parts.length ? [[t("console.act_part_limit"), partLimit, ""]] : [], [
          [t("console.act_close"), close(counts), "stop"],
        ]),
        closed: () => (session.practice ? [] : [[t("console.act_sign"), usual("sign", t("console.lead_sign") + t("console.no_way_back"), "results_checked"), "main"]]),
        signed: () => [],
      };
      const locked = session.locked_bank && session.locked_bank.ways.includes("codes");
      const unlock = locked ? [[t("console.act_unlock_bank"), () => unlockDialog(sender, get()), session.state === "closed" ? "" : "main"]] : [];
      const found = unlock.concat((byState[session.state] || byState.signed)()).concat([[t("console.act_incident"), () => incidentDialog(sender, get(), null, null), ""]]);
      return session.practice && session.state !== "running" ? found.concat([[t("console.act_delete_practice"), remove, "stop"]]) : found;
    },
  };
}
