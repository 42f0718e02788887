// Holds on the page of space: each act asks in a dialog, is done, and the page is read again.

import { byId, h } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { postJSON } from "/ui/static/js/http.js";
import { ask } from "/ui/static/js/dialog.js";
import { wake } from "/ui/static/js/wake.js";
import "./inspect.js";

const facts = JSON.parse(byId("facts").textContent);

function why() {
  return h("label", { class: "field" }, h("span", {}, t("space.why")), h("input", { name: "why", minlength: 2, maxlength: 500, required: true, autocomplete: "off" }));
}

async function done(url, body) {
  await postJSON(url, body);
  location.reload();
}

// What a person types is the room's time, whatever zone the browser is set to.
function moment(value) {
  return new Date(value + (value.length === 16 ? ":00" : "") + "+08:00").getTime();
}

for (const button of document.querySelectorAll("[data-hold]")) {
  button.addEventListener("click", () => ask({
    title: t("space.hold"), lead: t("space.hold_lead", { name: button.dataset.name }), button: t("space.hold"), fields: why(),
    act: (form) => done("/spotcheck/api/holds", { session: button.dataset.hold, why: form.elements.why.value }),
  }));
}

for (const button of document.querySelectorAll("[data-release]")) {
  button.addEventListener("click", () => ask({
    title: t("space.release"), lead: t("space.release_lead"), button: t("space.release"), danger: true, fields: why(),
    act: (form) => done("/spotcheck/api/holds/" + encodeURIComponent(button.dataset.release) + "/release", { why: form.elements.why.value }),
  }));
}

function field(label, name) {
  return h("label", { class: "field" }, h("span", {}, label), h("input", { name, type: "datetime-local", required: true }));
}

byId("hold-span").addEventListener("click", () => ask({
  title: t("space.hold_span"), lead: t("space.hold_span_lead"), button: t("space.hold"),
  fields: [
    h("label", { class: "field" }, h("span", {}, t("space.camera")),
      h("select", { name: "camera" }, h("option", { value: "" }, t("space.all_cameras")), facts.cameras.map((name) => h("option", { value: name }, name)))),
    field(t("space.from"), "from"), field(t("space.until"), "until"), why(),
  ],
  act: (form) => {
    const { camera, from, until } = form.elements;
    return done("/spotcheck/api/holds", { camera: camera.value || null, from: moment(from.value), until: moment(until.value), why: form.elements.why.value });
  },
}));
wake();
