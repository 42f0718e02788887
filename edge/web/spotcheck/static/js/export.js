// Evidence to take away: asked for, packed by the room while the page shows how far it is, then fetched by the browser's
// own download, which goes on where it broke off.

import { h, replace } from "/ui/static/js/dom.js";
import { pick, t } from "/ui/static/js/text.js";
import { deleteJSON, getJSON, postJSON } from "/ui/static/js/http.js";
import { toast } from "/ui/static/js/dialog.js";
import { date, hm, hms } from "/ui/static/js/time.js";

const LOOK_MS = 1000;
const LOOK_AGAIN_MS = 5000;
const GOING = ["waiting", "making"];
const megabytes = (bytes) => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);

// {element, start(asked)}: `start` throws a Failure whose sentence is to be shown.
export function createExports(session) {
  const address = "/spotcheck/api/" + encodeURIComponent(session) + "/exports";
  const list = h("ul", { class: "exports" });
  const element = h("section", { class: "card", hidden: true }, h("h2", {}, t("export.title")), list);
  let timer = 0;
  let drawn = "";

  // Drawn anew only where something is: a link that is being pressed must stay where it is.
  function draw(found) {
    const now = JSON.stringify(found);
    if (now === drawn) return;
    drawn = now;
    element.hidden = found.length === 0;
    replace(list, found.map(row));
  }

  function row(one) {
    const span = h("p", { class: "num" }, t("export.span", { camera: one.camera, date: date(one.from_ms), from: hms(one.from_ms), until: hms(one.until_ms) }));
    const remove = h("button", { type: "button", class: "button slim delete", onclick: () => drop(one, remove) }, t("export.delete"));
    return h("li", { "data-state": one.state }, span, GOING.includes(one.state) ? progress(one) : null,
      one.why ? h("p", { class: "notice bad" }, pick(one.why)) : null,
      h("div", { class: "row" }, one.state === "ready" ? h("a", { class: "button slim main", href: one.url, download: one.name }, "↓ " + t("export.download", { size: megabytes(one.bytes) })) : null, remove),
      one.state === "ready" ? h("p", { class: "small muted" }, t("export.until", { time: date(one.expires_ms) + " " + hm(one.expires_ms) })) : null);
  }

  function progress(one) {
    const words = one.state === "making" ? t("export.making", { done: megabytes(one.done), total: megabytes(one.bytes) }) : t("export.waiting");
    return h("div", {}, h("progress", { max: Math.max(1, one.bytes), value: Math.min(one.done, one.bytes), "aria-label": words }), h("p", { class: "small muted num", role: "status" }, words));
  }

  async function look() {
    clearTimeout(timer);
    try {
      const found = (await getJSON(address)).exports;
      draw(found);
      if (found.some((one) => GOING.includes(one.state))) timer = setTimeout(look, LOOK_MS);
    } catch (failure) {
      if (failure.offline || failure.status >= 500) timer = setTimeout(look, LOOK_AGAIN_MS);
    }
  }

  async function drop(one, button) {
    button.disabled = true;
    try {
      await deleteJSON(address + "/" + encodeURIComponent(one.id));
    } catch (failure) {
      toast("bad", failure.message);
      button.disabled = false;
    }
    look();
  }

  look();
  return {
    element,
    async start(asked) {
      await postJSON(address, asked);
      await look();
    },
  };
}
