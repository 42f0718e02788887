// The examiner's tablet: the list, one candidate's sheet, and what waits on this tablet to be sent or signed.

import { byId, h, replace, setText } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { Failure, getJSON, postJSON } from "/ui/static/js/http.js";
import { toast } from "/ui/static/js/dialog.js";
import { wake } from "/ui/static/js/wake.js";
import { newId, openStore } from "./idb.js";
import { makeQueue } from "./queue.js";
import { makeDrafts } from "./drafts.js";
import { makePictures } from "./pictures.js";
import { drawList } from "./list.js";
import { drawSheet } from "./sheet.js";
import { makeSigning } from "./signing.js";
import { drawRefused, refusedOf } from "./refused.js";

const POLL_MS = 4000;
const facts = JSON.parse(byId("facts").textContent);
const root = "/scoring/api/" + encodeURIComponent(facts.session);
const holder = byId("sheet");
const bar = byId("kept");

async function start() {
  let app = null;
  const store = await openStore(() => app && redraw());
  const own = facts.staff + "/" + facts.session + "/";
  app = { facts, root, store, board: null, online: null, open: null, tablet: tabletId(), stranger: false };
  const post = (path, body) => send(path, Object.assign({ tablet: app.tablet }, body));
  const redraw = () => { drawBar(app); if (app.open) app.open.update(); else if (app.board) drawList(holder, app); };

  async function send(path, body) {
    try {
      return await sendOnce(path, body);
    } catch (failure) {
      if (failure.code !== "csrf_wrong") throw failure;
      await renew();
      return sendOnce(path, body);
    }
  }

  async function sendOnce(path, body) {
    const reply = app.stranger ? null : await postJSON(root + "/" + path, body);
    if (reply === null) throw new Failure(0, null);
    return reply;
  }

  // Somebody signed in anew in another tab: for the same person this page goes on with the new token, for anybody else
  // it sends nothing any more, since it would stand under their name.
  const renew = async () => use(await getJSON(root + "/board"));

  let heard = null;
  const roomNow = () => heard && heard.now + performance.now() - heard.at;

  function use(board) {
    app.stranger = board.me.id !== facts.staff;
    if (app.stranger) return;
    byId("facts").textContent = JSON.stringify(Object.assign({}, facts, { csrf: board.csrf }));
    delete board.csrf;
    heard = { now: board.now, at: performance.now() };
    app.board = board;
    store.put("board/" + own, board);
  }

  app.post = post;
  app.plainPost = send;
  app.queue = makeQueue({ store, prefix: "op/" + own, post, roomNow, changed: redraw,
    told: (op, reply) => {
      if (reply.outcome === "stale") toast("warn", t("scoring.act_beside"), 12);
      if (app.open) app.open.told(op, reply);
      poll();
    },
    refused: (op, failure) => { toast("bad", failure.message, 12); poll(); } });
  app.drafts = makeDrafts({ store, prefix: "draft/" + own, post, changed: redraw });
  app.pictures = makePictures({ store, prefix: "picture/" + own, root, post: send, renew: () => renew().catch(() => {}), changed: redraw, refused: (failure) => toast("bad", failure.message, 12) });
  app.signing = makeSigning({ app, prefix: "sign/" + own, post, changed: redraw, signed: () => poll() });
  app.show = (person, rubric) => {
    window.scrollTo(0, 0);
    app.open = drawSheet(holder, app, person, rubric, () => { app.open = null; redraw(); poll(); });
  };
  app.poll = poll;

  let polling = false;
  async function poll() {
    if (polling) return;
    polling = true;
    try {
      use(await getJSON(root + "/board"));
      app.online = true;
      if (app.open) await app.open.fetch();
    } catch (failure) {
      if (failure.offline || failure.status >= 500) {
        app.online = false;
        if (!app.board) app.board = (await store.get("board/" + own)) || null;
      }
      if (!app.board) replace(holder, h("p", { class: "notice " + (failure.offline ? "warn" : "bad"), role: "alert" }, failure.message));
      else if (!failure.offline && failure.status < 500) toast("bad", failure.message);
    }
    polling = false;
    if (app.online && !app.stranger) {
      app.queue.flush();
      app.drafts.retry();
      app.pictures.send();
    }
    redraw();
  }

  await forgetOthers(store, own);
  leaveNothing(app, own);
  await Promise.all([app.queue.load(), app.drafts.load(), app.pictures.load(), app.signing.load()]);
  await poll();
  setInterval(poll, POLL_MS);
  setInterval(() => { if (app.open) app.open.tick(); }, 500);
}

// Names that were kept for reading offline go when another person or session comes; what is not sent yet stays.
const READ = ["board/", "detail/", "clock/"];

async function forgetOthers(store, own) {
  for (const kind of READ) for (const { key } of await store.under(kind)) if (!key.startsWith(kind + own)) await store.drop(key);
}

// Signing out leaves no name on the tablet, but what the room does not have yet.
function leaveNothing(app, own) {
  const form = document.querySelector("form[action='/staff/logout']");
  if (!form) return;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      if (!app.queue.waiting()) for (const kind of READ) for (const { key } of await app.store.under(kind + own)) await app.store.drop(key);
      if (window.caches) await caches.delete("examroom-scoring-1");
    } finally {
      form.submit();
    }
  });
}

// What is only on this tablet, said at the top of every screen, and the sheets that wait for a PIN.
let drawn = "";
function drawBar(app) {
  const waiting = app.queue.waiting() + app.drafts.unsaved() + app.pictures.waiting();
  const sheets = app.signing.waiting();
  const refused = refusedOf(app);
  const now = JSON.stringify([app.store.durable(), app.online, app.stranger, waiting, sheets.length, refused.map((each) => [each.what, each.at, each.one.refused])]);
  if (now === drawn) return;
  drawn = now;
  const parts = [];
  const durable = app.store.durable();
  if (!durable) parts.push(h("p", { class: "notice bad", role: "alert" }, t("scoring.memory")));
  if (app.online === false) parts.push(h("p", { class: "notice warn" }, t(durable ? "scoring.offline" : "scoring.offline_page") + (durable && navigator.serviceWorker && navigator.serviceWorker.controller ? "" : " " + t("scoring.no_reload"))));
  if (app.stranger) parts.push(h("div", { class: "notice bad", role: "alert" }, h("span", {}, t("scoring.stranger")), h("button", { type: "button", class: "button", onclick: () => location.reload() }, t("scoring.stranger_reload"))));
  if (refused.length) parts.push(drawRefused(app, refused));
  if (sheets.length) {
    parts.push(h("div", { class: "notice warn signwait" }, h("span", {}, t("scoring.sign_waiting", { count: sheets.length })),
      app.online ? h("button", { type: "button", class: "button main", onclick: () => app.signing.ask() }, t("scoring.sign_now")) : null));
  }
  if (waiting) parts.push(h("p", { class: "small muted", role: "status" }, t(durable ? "scoring.only_here" : "scoring.only_page", { count: waiting })));
  replace(bar, parts);
}

function tabletId() {
  let id = null;
  try {
    id = localStorage.getItem("scoring-tablet");
    if (!id) localStorage.setItem("scoring-tablet", id = newId());
  } catch (error) {
    id = newId();
  }
  return id;
}

function darkness() {
  const button = byId("dark");
  const show = () => {
    document.body.classList.toggle("dark", dark);
    button.setAttribute("aria-pressed", String(dark));
    setText(button, t(dark ? "scoring.light" : "scoring.dark"));
  };
  let dark = false;
  try {
    dark = localStorage.getItem("scoring-dark") === "1";
  } catch (error) {
    dark = false;
  }
  button.addEventListener("click", () => {
    dark = !dark;
    try {
      localStorage.setItem("scoring-dark", dark ? "1" : "0");
    } catch (error) {
      // kept for this page alone
    }
    show();
  });
  show();
}

darkness();
wake();
if (navigator.serviceWorker && window.isSecureContext) navigator.serviceWorker.register("/scoring/sw.js", { scope: "/scoring/" }).catch(() => {});
start();
