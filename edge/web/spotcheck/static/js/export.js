// Evidence to take away: asked for, packed by the room while the page shows how far it is, then fetched by the browser's
// own download, which goes on where it broke off.

import { h, replace, setText } from "/ui/static/js/dom.js";
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
  let rows = [];

  // Drawn anew only where one comes, goes or is in another state: what is being pressed must stay where it is.
  function draw(found) {
    const now = JSON.stringify(found.map((one) => [one.id, one.state]));
    if (now !== drawn) {
      drawn = now;
      rows = found.map(row);
      element.hidden = found.length === 0;
      replace(list, rows.map((one) => one.element));
    }
    found.forEach((one, index) => rows[index].update(one));
  }

  function row(one) {
    const bar = h("progress", { "aria-label": t("export.waiting") });
    const words = h("p", { class: "small muted num", role: "status" });
    const remove = h("button", { type: "button", class: "button slim delete", onclick: () => drop(one, remove) }, t("export.delete"));
    const ready = one.state === "ready";
    return {
      element: h("li", { "data-state": one.state },
        h("p", { class: "num" }, t("export.span", { camera: one.camera, date: date(one.from_ms), from: hms(one.from_ms), until: hms(one.until_ms) })),
        GOING.includes(one.state) ? [bar, words] : null,
        one.why ? h("p", { class: "notice bad" }, pick(one.why)) : null,
        h("div", { class: "row" }, ready ? h("a", { class: "button slim main", href: one.url, download: one.name }, "↓ " + t("export.download", { size: megabytes(one.bytes) })) : null, remove),
        ready ? h("p", { class: "small muted" }, t("export.until", { time: date(one.expires_ms) + " " + hm(one.expires_ms) })) : null),
      update({ state, done, bytes }) {
        bar.max = Math.max(1, bytes);
        bar.value = Math.min(done, bytes);
        setText(words, state === "making" ? t("export.making", { done: megabytes(done), total: megabytes(bytes) }) : t("export.waiting"));
      },
    };
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
