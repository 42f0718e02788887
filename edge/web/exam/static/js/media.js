// Pictures, sounds and films: fetched when the person asks, kept in memory while the paper is open, never on disk.

import { h, replace } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";

const TEXTS = { image: "exam.media_image", audio: "exam.media_audio", video: "exam.media_video" };
const size = (bytes) => (bytes >= 1000000 ? (bytes / 1000000).toFixed(1) + " MB" : Math.max(1, Math.round(bytes / 1000)) + " kB");

const label = (entry) => t(TEXTS[entry.kind] || TEXTS.image) + (entry.bytes ? " (" + size(entry.bytes) + ")" : "");

// fetchBlob(name) -> Blob, or null when the room did not give it.
export function createMedia(fetchBlob) {
  const kept = new Map();
  const asked = new Map();
  let slots = [];

  function get(name) {
    if (kept.has(name)) return Promise.resolve(kept.get(name));
    if (!asked.has(name)) {
      asked.set(name, fetchBlob(name).then((blob) => {
        asked.delete(name);
        if (!blob) return "";
        kept.set(name, URL.createObjectURL(blob));
        return kept.get(name);
      }));
    }
    return asked.get(name);
  }

  function element(entry, url, play) {
    if (entry.kind === "image") return h("img", { src: url, alt: entry.alt, lang: "zh-CN" });
    const made = h(entry.kind, { src: url, controls: true, playsinline: true, "aria-label": entry.alt, preload: "auto" });
    if (play) Promise.resolve(made.play()).catch(() => {});
    return made;
  }

  // A button that says what will be fetched and how big it is; then the thing itself in its place.
  function onDemand(label, ready, load) {
    const holder = h("div", { class: "media", role: "group" });
    const ask = (failed) => {
      const button = h("button", { type: "button", class: "button" }, label);
      button.addEventListener("click", async () => {
        button.disabled = true;
        replace(button, h("span", { class: "busy" }), " ", t("exam.media_loading"));
        const made = await load();
        if (!made) ask(true);
        else replace(holder, made);
        const next = holder.querySelector("button, audio, video, img");
        if (next) {
          if (!next.matches("button, audio, video")) next.setAttribute("tabindex", "-1");
          next.focus();
        }
      });
      replace(holder, failed ? h("p", { class: "notice warn", role: "alert" }, t("exam.media_failed")) : null, button);
    };
    if (ready) replace(holder, ready);
    else ask(false);
    return holder;
  }

  function figure(entry) {
    const ready = kept.has(entry.name) ? element(entry, kept.get(entry.name), false) : null;
    const holder = onDemand(label(entry), ready, async () => {
      const url = await get(entry.name);
      return url ? element(entry, url, true) : null;
    });
    const alt = entry.alt ? h("p", { class: "small muted", lang: "zh-CN" }, entry.alt) : null;
    return h("div", { class: "media-box" }, holder, alt);
  }

  function fillSlots() {
    for (const one of slots) if (kept.has(one.name) && !one.node.firstChild) one.node.append(h("img", { src: kept.get(one.name), alt: "" }));
  }

  return {
    get,
    label,
    has: (name) => kept.has(name),
    figures: (item) => (item.media || []).filter((entry) => entry.name !== item.image && !isOption(item, entry.name)).map(figure),
    // Where an option's picture goes once it has been asked for.
    slot(name) {
      if (!name) return null;
      const node = h("span", { class: "slot" });
      slots.push({ name, node });
      return node;
    },
    // One button for the pictures of all options of an item; null when it has none. Called after its slots were made.
    optionPictures(item) {
      const names = (item.options || []).map((option) => option.image).filter(Boolean);
      if (!names.length) return null;
      fillSlots();
      if (names.every((name) => kept.has(name))) return null;
      const bytes = names.reduce((sum, name) => sum + (sizeOf(item, name) || 0), 0);
      return onDemand(t("exam.media_options") + (bytes ? " (" + size(bytes) + ")" : ""), null, async () => {
        const urls = await Promise.all(names.map(get));
        fillSlots();
        return urls.every(Boolean) ? h("p", { class: "small muted" }, t("exam.media_options_shown")) : null;
      });
    },
    newItem() {
      slots = [];
    },
    // The paper has left: so do its pictures.
    clear() {
      for (const url of kept.values()) URL.revokeObjectURL(url);
      kept.clear();
      slots = [];
    },
  };
}

const sizeOf = (item, name) => ((item.media || []).find((entry) => entry.name === name) || {}).bytes;
const isOption = (item, name) => (item.options || []).some((option) => option.image === name);
