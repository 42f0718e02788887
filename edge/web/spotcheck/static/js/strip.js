// Small pictures of the open view, a row a camera: what is touched is where the player goes.

import { h, replace } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { getJSON } from "/ui/static/js/http.js";
import { hms } from "/ui/static/js/time.js";

export function createStrip({ address, seek }) {
  const element = h("div", { class: "strips", hidden: true });
  let turn = 0;

  async function load(view, cameras) {
    const mine = (turn += 1);
    replace(element);
    element.hidden = true;
    for (const name of cameras) {
      let found;
      try {
        found = await getJSON(address(name) + "?" + new URLSearchParams({ view }));
      } catch (failure) {
        return; // they only help to find a moment
      }
      if (mine !== turn) return;
      if (!found.pictures.length) continue;
      element.hidden = false;
      element.append(h("p", { class: "small" }, t("spotcheck.camera", { name })), h("div", { class: "strip" }, found.pictures.map((one) => {
        const label = t("spotcheck.go_to", { time: hms(one.at_ms) });
        return h("button", { type: "button", class: "thumb", "aria-label": label, onclick: () => seek(one.at_ms) },
          h("img", { src: "data:image/jpeg;base64," + one.jpeg, alt: "", loading: "lazy" }), h("span", { class: "num" }, hms(one.at_ms)));
      })));
    }
  }

  return { element, load };
}
