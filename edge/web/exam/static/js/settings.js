// How this person wants the paper: larger text, strong contrast, a second language, each question read aloud. Set by
// staff or by the person, whose own choice the room keeps, so that it goes with them to another tablet.

import { h } from "/ui/static/js/dom.js";
import { openBox } from "/ui/static/js/dialog.js";
import { t } from "/ui/static/js/text.js";
import { LANGUAGES } from "./words.js";

export const PLAIN = { size: 0, contrast: false, second: "", aloud: false };

export function apply(settings) {
  const root = document.documentElement;
  root.dataset.size = String(settings.size);
  root.dataset.contrast = settings.contrast ? "1" : "0";
}

// languages: those of the paper beside Chinese. changed(settings) at each touch.
export function openSettings(settings, languages, canSpeak, changed) {
  const now = Object.assign({}, settings);
  const set = (key, value) => {
    now[key] = value;
    changed(Object.assign({}, now));
  };
  const group = (title, name, choices) => h("fieldset", { class: "setting" }, h("legend", {}, title), h("div", { class: "choices" },
    choices.map(([value, label, lang]) => {
      const input = h("input", { type: "radio", name, checked: now[name] === value });
      input.addEventListener("change", () => set(name, value));
      return h("label", { class: "button chip" }, input, h("span", { lang: lang || null }, label));
    })));
  const dialog = h("dialog", { class: "box", "aria-labelledby": "settings-title" }, h("div", { class: "inner" },
    h("h1", { id: "settings-title" }, t("exam.settings")),
    group(t("exam.text_size"), "size", [0, 1, 2, 3].map((step) => [step, t("exam.size_" + step)])),
    group(t("exam.contrast"), "contrast", [[false, t("exam.contrast_plain")], [true, t("exam.contrast_strong")]]),
    languages.length ? group(t("exam.second"), "second", [["", t("exam.second_none")]].concat(languages.map((code) => [code, "中文 + " + (LANGUAGES[code] || code), code]))) : null,
    canSpeak ? group(t("exam.aloud"), "aloud", [[false, t("exam.aloud_asked")], [true, t("exam.aloud_each")]]) : null,
    h("button", { type: "button", class: "button main huge", onclick: () => dialog.close() }, t("exam.settings_done"))));
  openBox(dialog);
}
