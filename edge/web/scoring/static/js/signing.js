// Signing a sheet: signatures drawn here, the examiner's PIN checked by the room. The PIN lives in the dialog and nowhere
// else; a sheet finished without the room waits on this tablet, and the PIN is asked for again when the room is back.

import { h, setText } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { openBox, toast } from "/ui/static/js/dialog.js";
import { newId } from "./idb.js";
import { makePad } from "./pad.js";
import { tryAgain } from "./trying.js";

export function makeSigning({ app, prefix, post, changed, signed }) {
  let sheets = [];
  const keyOf = (one) => prefix + one.person + "/" + one.rubric;

  async function load() {
    sheets = (await app.store.under(prefix)).map((one) => one.value);
  }

  async function keep(one) {
    sheets = sheets.filter((other) => keyOf(other) !== keyOf(one)).concat([one]);
    await app.store.put(keyOf(one), one);
    changed();
  }

  async function forget(one) {
    sheets = sheets.filter((other) => keyOf(other) !== keyOf(one));
    await app.store.drop(keyOf(one));
    changed();
  }

  // Its pictures first: the room signs a sheet with all of them or not at all.
  async function send(one, pin) {
    await app.pictures.finish(one.person, one.rubric);
    const reply = await post("score", Object.assign({ op_id: one.op_id, pin }, one.body));
    await forget(one);
    await app.drafts.drop(one.person, one.rubric);
    signed(one, reply);
    return reply;
  }

  const pinField = () => h("input", { name: "pin", type: "password", inputmode: "numeric", autocomplete: "off", required: true, maxlength: 64 });

  function box(title, lead, fields, act) {
    const trouble = h("p", { class: "notice bad", role: "alert", hidden: true });
    const go = h("button", { class: "button main" }, t("scoring.sign"));
    const form = h("form", { method: "dialog" }, h("h2", { id: "sign-title" }, title), lead ? h("p", { class: "lead" }, lead) : null, fields, trouble,
      h("div", { class: "row right" }, h("button", { type: "button", class: "button", onclick: () => dialog.close() }, t("common.cancel")), go));
    const dialog = h("dialog", { class: "box signbox", "aria-labelledby": "sign-title" }, form);
    const say = (kind, text) => {
      trouble.className = "notice " + kind;
      setText(trouble, text);
      trouble.hidden = !text;
    };
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (go.disabled) return;
      go.disabled = true;
      say("bad", "");
      try {
        await act(dialog, say);
      } catch (failure) {
        say("bad", failure.message);
      }
      go.disabled = false;
    });
    openBox(dialog);
    return dialog;
  }

  // `body` is the sheet as the room wants it; `done(reply or null)` once it is signed, or kept to be signed later.
  function sign({ who, rubric, body, points, vetoed, done }) {
    const rules = app.board.rules;
    const wanted = rules.signatures;
    const candidate = wanted ? makePad(t("scoring.pad_candidate", { name: who.name })) : null;
    const examiner = wanted ? makePad(t("scoring.pad_examiner")) : null;
    const declined = wanted ? h("input", { type: "checkbox", name: "declined" }) : null;
    const pin = pinField();
    const op = newId();
    const fields = [
      candidate ? candidate.element : null,
      declined ? h("label", { class: "check" }, declined, h("span", {}, t("scoring.declined"))) : null,
      examiner ? examiner.element : null,
      h("label", { class: "field" }, h("span", {}, t("scoring.pin")), pin),
      h("p", { class: "small muted" }, t("scoring.pin_lead")),
    ];
    box(t("scoring.sign"), t(vetoed ? "scoring.sign_vetoed" : "scoring.sign_lead", { name: who.name, points }), fields, async (dialog, say) => {
      const drawn = { candidate: candidate && candidate.strokes(), examiner: examiner && examiner.strokes(), declined: Boolean(declined && declined.checked) };
      if (wanted && (!drawn.examiner || (!drawn.candidate && !drawn.declined))) {
        say("bad", t("scoring.pads_empty"));
        return;
      }
      const one = { op_id: op, person: who.person, rubric, name: who.name, number: who.number, points, body: Object.assign({}, body, { person: who.person, rubric, signatures: drawn }) };
      try {
        if (app.queue.waiting() && app.online) await app.queue.flush();
        const entered = pin.value;
        if (app.pictures.of(who.person, rubric).length) say("warn", t("scoring.pictures_first"));
        const reply = await send(one, entered);
        dialog.close();
        toast("good", t("scoring.done", { name: who.name, points: reply.points }));
        done(reply);
      } catch (failure) {
        pin.value = "";
        if (tryAgain(failure) && failure.status !== 429) {
          await keep(one);
          dialog.close();
          toast("warn", t(app.store.durable() ? "scoring.kept" : "scoring.kept_page", { name: who.name }), 10);
          done(null);
          return;
        }
        pin.focus();
        throw failure;
      }
    });
    if (!wanted) pin.focus();
  }

  // The room is back: one PIN for the sheets that wait. Each is sent by itself and stays here until it has arrived.
  function ask() {
    const pin = pinField();
    const names = sheets.map((one) => h("li", {}, h("label", { class: "check" }, h("input", { type: "checkbox", name: "one", value: keyOf(one), checked: true }),
      h("span", { class: "num" }, t("scoring.waiting_one", { name: one.name, number: one.number, points: one.points })))));
    box(t("scoring.sign_now"), t("scoring.sign_again_lead"), [h("ul", { class: "checks" }, names), h("label", { class: "field" }, h("span", {}, t("scoring.pin")), pin)], async (dialog, say) => {
      const chosen = Array.from(dialog.querySelectorAll("input[name=one]")).filter((one) => one.checked).map((one) => one.value);
      const entered = pin.value;
      pin.value = "";
      await app.queue.flush();
      const trouble = [];
      for (const one of sheets.filter((each) => chosen.includes(keyOf(each)))) {
        if (app.pictures.of(one.person, one.rubric).length) say("warn", t("scoring.pictures_first"));
        try {
          await send(one, entered);
        } catch (failure) {
          trouble.push(one.name + "：" + failure.message);
          if (failure.code !== "score_elsewhere" && failure.code !== "pictures_missing" && failure.code !== "picture_held") break;
        }
      }
      if (trouble.length) throw new Error(trouble.join(" "));
      dialog.close();
      toast("good", t("scoring.all_signed"));
    });
    pin.focus();
  }

  // Back to the sheet: it is open again as a draft, and no longer waits.
  async function reopen(person, rubric) {
    const one = sheets.find((each) => each.person === person && each.rubric === rubric);
    if (one) await forget(one);
  }

  return { load, sign, ask, reopen, waiting: () => sheets };
}
