// The page's sentences, from its JSON block; the same keys and {placeholders} as the templates use.

const block = JSON.parse(document.getElementById("texts").textContent);
let language = block.lang;

export function lang() {
  return language;
}

// For pages that were given both languages: switches on the spot, and remembers it for the next load.
export function setLang(wanted, remember = true) {
  language = wanted;
  document.documentElement.lang = wanted === "zh" ? "zh-CN" : "en";
  if (remember) document.cookie = "lang=" + wanted + ";path=/;max-age=31536000;samesite=lax";
}

export function has(key) {
  return key in block.texts[language];
}

export function t(key, facts) {
  const template = block.texts[language][key];
  if (template === undefined) return key;
  return facts ? template.replace(/\{(\w+)\}/g, (all, name) => (name in facts ? String(facts[name]) : all)) : template;
}

// A text that carries its own languages ({zh, en}), or one that has only one.
export function pick(text) {
  if (text === null || text === undefined) return "";
  if (typeof text === "string") return text;
  return text[language] || text.zh || text.en || "";
}
