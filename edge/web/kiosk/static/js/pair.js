// Makes this screen the kiosk, then signs the staff member out: what stays behind is a screen for candidates.

import { byId } from "/ui/static/js/dom.js";
import { postJSON } from "/ui/static/js/http.js";
import { toast } from "/ui/static/js/dialog.js";
import { wake } from "/ui/static/js/wake.js";

byId("pair").addEventListener("click", async (event) => {
  event.target.disabled = true;
  try {
    await postJSON("/kiosk/pair", {});
    const csrf = JSON.parse(byId("facts").textContent).csrf;
    await fetch("/staff/logout", { method: "POST", body: new URLSearchParams({ csrf }), credentials: "same-origin" });
    location.replace("/kiosk/");
  } catch (failure) {
    toast("bad", failure.message);
    event.target.disabled = false;
  }
});
wake();
