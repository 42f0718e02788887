// Looks at this tablet: does it trust the room, can it reload offline, keep answers, tell the time, run the pages.

import { byId, h, replace } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { wake } from "/ui/static/js/wake.js";

const TIMEOUT_MS = 6000;
const CLOCK_FINE_MS = 120000;
const facts = JSON.parse(byId("facts").textContent);

async function ask(base) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), TIMEOUT_MS);
  const sent = Date.now();
  try {
    const response = await fetch(base + "/setup/api/probe", { cache: "no-store", credentials: "omit", signal: stop.signal });
    const body = await response.json();
    // the room's time was told halfway between asking and hearing
    return { now: body.now, offset: Math.round((sent + Date.now()) / 2 - body.now) };
  } catch (error) {
    return null;
  } finally {
    clearTimeout(timer);
  }
}

function within(promise, ms) {
  return Promise.race([promise, new Promise((resolve, reject) => setTimeout(() => reject(new Error("slow")), ms))]);
}

// Registering is what a browser allows on a trusted address only, even where somebody has clicked a warning away.
async function worker() {
  if (!("serviceWorker" in navigator)) return false;
  try {
    await within(navigator.serviceWorker.register("/exam/sw.js", { scope: "/exam/" }), TIMEOUT_MS);
    return true;
  } catch (error) {
    return false;
  }
}

function database() {
  return within(new Promise((resolve) => {
    try {
      const opening = indexedDB.open("examroom-setup-check", 1);
      opening.onsuccess = () => {
        opening.result.close();
        indexedDB.deleteDatabase("examroom-setup-check");
        resolve(true);
      };
      opening.onerror = () => resolve(false);
    } catch (error) {
      resolve(false);
    }
  }), TIMEOUT_MS).catch(() => false);
}

async function lasting() {
  if (!navigator.storage || !navigator.storage.persist) return false;
  return within(navigator.storage.persist(), TIMEOUT_MS).catch(() => false);
}

function old() {
  return !("AbortController" in window && "BroadcastChannel" in window && Promise.prototype.finally && window.CSS && CSS.supports("display", "grid"));
}

function offsetText(ms) {
  const minutes = Math.round(Math.abs(ms) / 60000);
  return t(ms > 0 ? "setup.clock_fast" : "setup.clock_slow", { minutes });
}

async function look() {
  replace(byId("checks"), h("li", { class: "notice" }, t("setup.checking")));
  const here = await ask("");
  const lines = [];
  const say = (kind, text) => lines.push(h("li", { class: "notice " + kind }, text));
  let trusted = false;
  if (!here) say("bad", t("setup.no_room"));
  else if (!facts.https) say("warn", t("setup.trust_none"));
  else {
    trusted = facts.secure ? await worker() : (await ask(facts.https)) !== null;
    say(trusted ? "good" : "bad", t(trusted ? "setup.trust_yes" : "setup.trust_no"));
  }
  if (facts.secure) {
    say(trusted ? "good" : "bad", t(trusted ? "setup.worker_yes" : "setup.worker_no"));
    const kept = await database();
    if (!kept) say("bad", t("setup.store_no"));
    else if (await lasting()) say("good", t("setup.store_lasting"));
    else say("good", t("setup.store_yes"));
  } else if (trusted) say("", t("setup.rest_by_https"));
  if (here) say(Math.abs(here.offset) <= CLOCK_FINE_MS ? "good" : "warn", Math.abs(here.offset) <= CLOCK_FINE_MS ? t("setup.clock_fine") : offsetText(here.offset));
  say(old() ? "bad" : "good", t(old() ? "setup.browser_old" : "setup.browser_fine"));
  replace(byId("checks"), lines);
  const onward = byId("onward");
  if (onward) onward.hidden = !trusted;
}

function system() {
  const agent = navigator.userAgent;
  if (/CrOS/.test(agent)) return "chromeos";
  if (/HarmonyOS|OpenHarmony|ArkWeb|HUAWEI|HONOR/i.test(agent)) return "harmony";
  if (/iPad|iPhone/.test(agent) || (/Macintosh/.test(agent) && navigator.maxTouchPoints > 1)) return "ipad";
  if (/Android/.test(agent)) return "android";
  return /Windows/.test(agent) ? "windows" : "";
}

const all = Array.from(document.querySelectorAll("details"));
for (const one of all) one.open = one.dataset.system === system();
// on paper every system's steps are wanted
let open = [];
window.addEventListener("beforeprint", () => { open = all.map((one) => one.open); all.forEach((one) => { one.open = true; }); });
window.addEventListener("afterprint", () => all.forEach((one, n) => { one.open = open[n]; }));
byId("print").addEventListener("click", () => window.print());
byId("again").addEventListener("click", look);
wake();
look();
