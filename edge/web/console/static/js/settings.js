// How one person needs the paper: sizes, colours, a second language, each question read aloud; on any tablet they use.

import { h } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";

// The languages a bank may bring, in their own names.
const LANGUAGES = [["", "–"], ["en", "English"], ["bo", "བོད་ཡིག"], ["ug", "ئۇيغۇرچە"], ["mn", "ᠮᠣᠩᠭᠣᠯ"], ["kk", "قازاقشا"], ["ko", "조선말"], ["za", "Vahcuengh"], ["ii", "ꆈꌠꉙ"]];

function choice(name, label, options) {
  return h("label", { class: "field" }, h("span", {}, label),
    h("select", { name }, options.map(([value, text]) => h("option", { value, lang: name === "second" && value ? value : null }, text))));
}

const tick = (name, label) => h("label", { class: "field" }, h("span", {}, h("input", { type: "checkbox", name }), " " + label));

export function settingsFields() {
  return h("div", {}, choice("size", t("console.paper_size"), ["0", "1", "2", "3"].map((step) => [step, t("console.paper_size_" + step)])),
    choice("second", t("console.paper_second"), LANGUAGES), tick("contrast", t("console.paper_contrast")), tick("aloud", t("console.paper_aloud")));
}

export function settingsOf(form) {
  const { size, second, contrast, aloud } = form.elements;
  return { size: Number(size.value), second: second.value, contrast: contrast.checked, aloud: aloud.checked };
}
