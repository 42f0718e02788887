// Words of the bank: always marked as Chinese, with the same in a second language beside them where the person wants it.

import { h } from "/ui/static/js/dom.js";

// The languages a bank may bring, in their own names.
export const LANGUAGES = {
  en: "English", bo: "བོད་ཡིག", ug: "ئۇيغۇرچە", mn: "ᠮᠣᠩᠭᠣᠯ", kk: "قازاقشا", ko: "조선말", za: "Vahcuengh", ii: "ꆈꌠꉙ",
};

// Mongolian in its old letters runs downwards.
const DOWNWARDS = /[\u1800-\u18af]/;

export function words(text, more, second, kind) {
  const other = second && more && more[second];
  const first = h("span", { class: kind, lang: "zh-CN" }, text);
  if (!other) return first;
  const class_ = kind + " more" + (DOWNWARDS.test(other) ? " down" : "");
  return h("span", { class: "both" }, first, h("span", { class: class_, lang: second, dir: "auto" }, other));
}
