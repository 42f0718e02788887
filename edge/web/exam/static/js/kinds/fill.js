// 填空: a field at each blank of the stem; numbers get the number keyboard, and beside them their unit, printed or to choose.

import { h } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";

const BLANK = "____";
const TYPING_MS = 600;
const LONGEST = 100;

const fold = (text) => text.normalize("NFKC").replace(/\s+/g, "").toLowerCase();

// A number that is typed with the unit that stands beside its field anyway: "5mm" there is 5.
function bare(typed, unit) {
  for (let at = 1; unit && at < typed.length; at++) {
    if (fold(typed.slice(at)) === fold(unit) && /[0-9.]$/.test(fold(typed.slice(0, at)))) return typed.slice(0, at).trim();
  }
  return typed;
}

export function make(item, ctx) {
  const fields = item.blanks.map((blank, at) => field(blank, at + 1, item.blanks.length));
  const read = () => {
    const value = fields.map((one) => one.read());
    return value.some(Boolean) ? value : [];
  };
  let last = "[]";

  function changed(wait) {
    const value = read();
    const text = JSON.stringify(value);
    if (text !== last) {
      last = text;
      ctx.choose(value, wait);
    } else if (!wait) ctx.flush();
  }

  function field(blank, number, of) {
    const wide = blank.kind !== "number";
    const units = blank.shown_units;
    const label = of > 1 ? t("exam.blank_n", { n: number }) : t("exam.blank");
    const input = h("input", { type: "text", inputmode: wide ? "text" : "decimal", autocomplete: "off", autocapitalize: "off", spellcheck: "false",
      maxlength: LONGEST - 22, class: wide ? "blank wide" : "blank num", "aria-label": label });
    const unit = units.length
      ? h("select", { class: "unit", "aria-label": label + " " + t("exam.unit") }, h("option", { value: "" }, t("exam.unit")), units.map((one) => h("option", { value: one }, one)))
      : null;
    const fixed = blank.unit;
    input.addEventListener("input", (event) => { if (!event.isComposing) changed(TYPING_MS); });
    input.addEventListener("compositionend", () => changed(TYPING_MS));
    input.addEventListener("blur", () => changed(0));
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      const next = fields[number];
      if (next) next.input.focus();
      else changed(0);
    });
    if (unit) unit.addEventListener("change", () => changed(0));
    return {
      input,
      node: h("span", { class: "hole" }, of > 1 ? h("span", { class: "hole-n num", "aria-hidden": "true" }, number) : null, input,
        unit || (fixed ? h("span", { class: "unit-word" }, fixed) : null)),
      read() {
        const typed = bare(input.value.trim(), unit ? unit.value : fixed);
        return typed && unit && unit.value ? typed + " " + unit.value : typed;
      },
      write(text) {
        const tail = units.find((one) => text.endsWith(" " + one));
        if (unit) unit.value = tail || "";
        input.value = tail ? text.slice(0, -tail.length - 1) : bare(text, fixed);
      },
    };
  }

  const pieces = item.stem.split(BLANK);
  const inside = pieces.map((piece, at) => [piece, at < fields.length ? fields[at].node : null]);
  const other = ctx.second && item.stem_more && item.stem_more[ctx.second];
  return {
    ownStem: true,
    node: h("div", { role: "group", "aria-labelledby": ctx.label },
      h("p", { class: "stem filling", lang: "zh-CN" }, inside, fields.length > pieces.length - 1 ? fields.slice(pieces.length - 1).map((one) => one.node) : null),
      other ? h("p", { class: "stem more", lang: ctx.second, dir: "auto" }, other) : null),
    // What is being typed is newer than anything else.
    update(value) {
      const text = JSON.stringify(value);
      if (text === last || text === JSON.stringify(read())) return;
      last = text;
      fields.forEach((one, at) => one.write(value[at] || ""));
    },
  };
}
