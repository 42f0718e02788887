// A session is marked as inspected, on the page of space and on its own: asked in a dialog, done, and the page read again.

import { t } from "/ui/static/js/text.js";
import { postJSON } from "/ui/static/js/http.js";
import { ask } from "/ui/static/js/dialog.js";
import { wake } from "/ui/static/js/wake.js";

async function inspected(session) {
  await postJSON("/spotcheck/api/" + encodeURIComponent(session) + "/inspected", {});
  location.reload();
}

for (const button of document.querySelectorAll("[data-inspected]")) {
  button.addEventListener("click", () => ask({
    title: t("space.inspect"), lead: t("space.inspect_lead", { name: button.dataset.name }), button: t("space.inspect"),
    act: () => inspected(button.dataset.inspected),
  }));
}
wake();
