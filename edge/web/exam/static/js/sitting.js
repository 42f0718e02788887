// One paper being answered: what a touch does, what the room's answers and its clock change, the end.

import { replace } from "/ui/static/js/dom.js";
import { pick, t } from "/ui/static/js/text.js";
import { countdown } from "/ui/static/js/time.js";
import { openBox, toast } from "/ui/static/js/dialog.js";
import { createParts } from "./parts.js";
import { createPaper } from "./paper.js";
import { createQueue, newId } from "./queue.js";
import * as screens from "./screens.js";
import * as settingsBox from "./settings.js";
import * as speech from "./speech.js";
import { createView } from "./view.js";

// Values whose order means nothing are kept in one order, the room's.
const IN_ORDER = {
  multiple: (value) => value.slice().sort(),
  match: (value) => value.slice().sort(),
  hotspot: (value) => value.slice().sort((a, b) => { const [x, y] = [a.split(","), b.split(",")]; return x[0] - y[0] || x[1] - y[1]; }),
};
const WARN_MS = 300000;
const FAR_MS = 10000;
const SETTINGS_MS = 10000;

// env: root, store, clock, claim, shell, send(op), fetchPaper(), finished(facts), gone(failure),
// language(), say(text). kinds and media: see kinds/ and media.js; media is null for a paper without any.
export async function createSitting(env, document_, fresh, kinds, media) {
  const { store, clock, claim } = env;
  const attempt = claim.attempt;
  // What was chosen here and is not in the room yet; else what the room says; without the room, what was last known.
  const noted = await store.note("settings/" + attempt);
  let settings = Object.assign({}, settingsBox.PLAIN, noted && noted.unsent ? noted : document_.settings || noted);
  delete settings.unsent;
  let settingsTimer = 0;
  let unsent = Boolean(noted && noted.unsent);
  const marks = await store.note("marks/" + attempt);
  let cover = null;
  let warned = false;
  let over = 0;
  let byItself = false;
  let reading = false;
  let stopped = false;
  let begun = false;

  const queue = createQueue({
    store, newId, send: env.send, refresh: refreshPaper, changed: refresh, acknowledged, rejected, gone: env.gone, handedIn,
    opened: (index, reply) => { if (reply.clock) clock.take(reply.clock); },
  });
  const paper = createPaper(document_, marks, queue.pending, queue.where);
  const parts = createParts(paper, queue, clock);
  settingsBox.apply(settings);
  const kit = { kinds, media, second: () => settings.second, canSpeak: speech.canSpeak };
  const view = createView(env.root, claim, paper, kit, {
    choose, go, next, flag, handIn: askHandIn, language: env.language, settings: openSettings, take: (item, value) => choose(item, value, 0),
    flush: queue.flush, read, say, reachable: parts.reachable, canOpen: parts.canOpen, morePartsAfter: () => parts.unopened().length > 0, openPart: askPart,
  });
  speech.onVoices(view.voices);
  // The room's word on sequence, versions and token, while the paper stays where it is.
  async function refreshPaper() {
    const body = await env.fetchPaper();
    queue.learn(body.responses);
    paper.learn(body.responses);
    return body;
  }

  const keepMarks = () => store.setNote("marks/" + attempt, paper.marks);

  function choose(item, value, wait) {
    if (queue.handingIn()) return;
    paper.chosen(item.id);
    queue.put(item.id, IN_ORDER[item.type] ? IN_ORDER[item.type](value) : value, wait);
    keepMarks();
  }

  function go(index) {
    queue.flush();
    hush();
    if (index < 0 || index >= paper.items.length || !parts.reachable(index)) return;
    paper.marks.at = index;
    view.show(index, true);
    refreshBanners();
    keepMarks();
    if (settings.aloud && speech.canSpeak()) read(paper.items[index]);
  }

  function next() {
    const to = view.index() + 1;
    if (to < paper.items.length && parts.reachable(to)) go(to);
    else if (parts.unopened().length) askPart(parts.unopened()[0]);
    else askHandIn();
  }

  function flag() {
    paper.toggleFlag(paper.items[view.index()].id);
    keepMarks();
    refresh();
  }

  // `loud`: to be seen, too.
  function say(text, loud) {
    env.say(text);
    if (loud) toast("warn", text);
  }

  // ---- how the person wants it

  function openSettings() {
    settingsBox.openSettings(settings, paper.languages(), speech.canSpeak(), (wanted) => {
      const again = wanted.second !== settings.second;
      settings = wanted;
      settingsBox.apply(settings);
      keepSettings();
      if (again) view.show(view.index(), false);
    });
  }

  // Kept here first and then told to the room; a moment later, should it not answer.
  async function keepSettings() {
    clearTimeout(settingsTimer);
    const told = settings;
    unsent = true;
    await store.setNote("settings/" + attempt, Object.assign({ unsent: true }, told));
    const result = await env.sendSettings(told);
    if (stopped || told !== settings) return;
    if (result.ok) {
      unsent = false;
      await store.setNote("settings/" + attempt, told);
    } else if (result.status === 0 || result.status >= 500) settingsTimer = setTimeout(keepSettings, SETTINGS_MS);
  }

  // Staff have set how this person needs the paper: it counts on the open page too, but for a choice still on its way.
  async function takeSettings() {
    const body = await env.fetchPaper().catch(() => null);
    if (stopped || unsent) return;
    if (!body) {
      clearTimeout(settingsTimer);
      settingsTimer = setTimeout(takeSettings, SETTINGS_MS);
      return;
    }
    settings = Object.assign({}, settingsBox.PLAIN, body.settings);
    settingsBox.apply(settings);
    store.setNote("settings/" + attempt, settings);
    if (begun) view.show(view.index(), false);
  }

  function read(item) {
    if (reading) {
      hush();
      return;
    }
    reading = true;
    speech.speak(speech.piecesOf(item, settings.second), () => { reading = false; });
  }

  function hush() {
    reading = false;
    speech.stop();
  }

  // ---- what the room says

  function acknowledged(op, reply, same, more) {
    if (op.kind === "answer") {
      paper.heard(op, reply, same, more);
      if (reply.released) env.released();
      if (reply.outcome !== "applied" || reply.grace || reply.flag) keepMarks();
    }
    return paper.saved;
  }

  function handedIn(reply) {
    env.finished({ answered: reply.answered, of: reply.of, at_ms: reply.at_ms, late: reply.outcome !== "applied", missed: paper.lateCount() });
  }

  function rejected(op, failure) {
    if (op.kind === "answer") {
      paper.refused(op, failure);
      keepMarks();
      return;
    }
    toast("bad", pick(failure), 15);
    showCover();
  }

  function onClock(now, before) {
    if (now.k !== before.k && (before.v !== null || !fresh)) takeSettings();
    if (now.s === "done" && !queue.handingIn()) {
      if (queue.empty()) env.finished({ missed: paper.lateCount() });
      else queue.kick();
    }
    if (before.v !== null && before.v !== now.v && now.s === "running" && before.s === "running" && Math.abs(now.left - before.left) > 30000) {
      toast("warn", t("exam.time_changed", { left: countdown(now.left) }), 10);
    }
    atTheEnd();
    showCover();
  }

  const timeIsOver = () => clock.state() === "closed" || (clock.state() === "running" && clock.left() === 0);

  // The time is over: what was given before it goes out, after a wait of this page's own so that not all come at once.
  function atTheEnd() {
    if (!timeIsOver()) {
      clearTimeout(over);
      over = 0;
      if (byItself) queue.withdrawHandIn().then((yes) => { if (yes) showCover(); });
      byItself = false;
      return;
    }
    if (over) return;
    if (document.activeElement && document.activeElement.blur) document.activeElement.blur(); // what is being typed counts
    queue.flush();
    queue.kick();
    over = setTimeout(() => {
      const open = clock.state() === "running" || clock.grace() > 0;
      if (stopped || !timeIsOver() || clock.jitter() === null || !open || queue.handingIn()) return;
      byItself = true;
      queue.handIn();
    }, clock.jitter() || 0);
  }

  function tick(left) {
    if (!begun) return;
    const partLeft = parts.left();
    view.tick(left, partLeft);
    if (clock.state() === "running" && left !== null) warn(left);
    const wanted = coverFor();
    if ((wanted ? wanted.kind : "") !== (cover ? cover.dataset.kind : "")) showCover();
    if (left === 0 && clock.state() === "running") atTheEnd();
  }

  // Once for each time that the end comes near: to who joins late or loads the page again too, and again after added time.
  function warn(left) {
    if (left >= WARN_MS + FAR_MS) warned = false;
    if (warned || left >= WARN_MS || left === 0) return;
    warned = true;
    say(left > WARN_MS - FAR_MS ? t("exam.five_minutes") : t("exam.little_left", { left: countdown(left) }), true);
  }

  // ---- covers and banners

  function coverFor() {
    const left = queue.count();
    if (queue.handingIn()) {
      if (clock.connected()) return { kind: "handing", title: t("exam.handing_title"), lead: t("exam.handing_lead"), left };
      return { kind: "handing", title: t(queue.kept() ? "exam.handing_kept_title" : "exam.handing_page_title"), lead: t("exam.handing_lead"), warn: t("exam.handing_offline"), left, acts: byItself ? [] : [[t("exam.handin_no"), backToPaper]] };
    }
    if (clock.state() === "paused") return { kind: "paused", title: t("exam.paused_title"), lead: t("exam.paused_lead"), left };
    if (timeIsOver()) {
      const lead = clock.connected() ? t("exam.timeup_lead") : t("exam.timeup_offline");
      return { kind: "timeup", title: t("exam.timeup_title"), lead, left, warn: paper.lateCount() ? t("exam.late_count", { count: paper.lateCount() }) : "" };
    }
    if (clock.state() === "done") return { kind: "timeup", title: t("exam.closing_title"), lead: t("exam.still_sending", { count: left }) };
    if (paper.limited && paper.marks.part === null) return partCover(t("exam.part_choose"), "");
    if (paper.limited && parts.left() === 0) return partCover(t("exam.part_over"), t("exam.part_over_lead"));
    return null;
  }

  function partCover(title, lead) {
    const open = parts.unopened();
    const acts = open.map((index) => [partName(index), () => startPart(index)]);
    if (!open.length || lead) acts.push([t("exam.handin"), askHandIn]);
    return { kind: "part", title, lead: lead || t("exam.part_choose_lead"), left: 0, acts };
  }

  const partName = (index) => {
    const part = paper.parts[index];
    return part.minutes ? t("exam.part_start", { title: pick(part.title), minutes: part.minutes }) : t("exam.part_start_free", { title: pick(part.title) });
  };

  function showCover() {
    if (stopped || !begun) return;
    const wanted = coverFor();
    const key = wanted ? JSON.stringify([wanted.kind, wanted.title, wanted.lead, wanted.warn, wanted.left, (wanted.acts || []).length]) : "";
    if ((cover ? cover.dataset.key : "") === key) return;
    const fresh_ = !cover || !wanted || cover.dataset.kind !== wanted.kind;
    clearCover();
    if (!wanted) {
      const question = document.getElementById("question");
      if (question) question.focus({ preventScroll: true });
      return;
    }
    cover = screens.cover(wanted);
    cover.dataset.key = key;
    cover.dataset.kind = wanted.kind;
    document.body.append(cover);
    env.root.firstChild.classList.add("covered");
    if (fresh_) cover.querySelector("h1").focus();
  }

  function clearCover() {
    if (cover) cover.remove();
    cover = null;
    if (env.root.firstChild && env.root.firstChild.classList) env.root.firstChild.classList.remove("covered");
  }

  async function backToPaper() {
    if (await queue.withdrawHandIn()) showCover();
  }

  function refresh() {
    if (stopped || !begun) return;
    view.update();
    refreshBanners();
    showCover();
    if (clock.state() === "done" && queue.empty() && !queue.handingIn()) env.finished({ missed: paper.lateCount() });
  }

  function refreshBanners() {
    if (stopped || !begun) return;
    const notices = [];
    const connected = clock.connected();
    if (!store.durable()) notices.push({ kind: "bad", text: t("exam.memory_banner") });
    if (!connected) notices.push({ kind: "warn", text: t(store.durable() ? "exam.offline_banner" : "exam.offline_page_banner") });
    else if (queue.count() > 1) notices.push({ kind: "", text: t("exam.pending_banner", { count: queue.count() }) });
    if (!env.shell.ready() && env.noReload() && store.durable()) notices.push({ kind: connected ? "" : "bad", text: t("exam.no_reload_banner") });
    const odd = paper.items.findIndex((item, index) => index !== view.index() && paper.state(item.id) === "conflict");
    if (odd >= 0) notices.push({ kind: "warn", text: t("exam.conflict_go", { n: paper.items[odd].n }), act: () => go(odd) });
    view.banners(connected, notices);
    view.tick(clock.left(), parts.left());
  }

  // ---- parts, and handing in

  function askPart(index) {
    queue.flush();
    const from = paper.marks.part === null ? "" : pick(paper.parts[paper.marks.part].title);
    openBox(screens.partBox({ name: partName(index), from, minutes: paper.parts[index].minutes, start: () => startPart(index) }));
  }

  function startPart(index) {
    parts.start(index);
    keepMarks();
    view.buildMap();
    clearCover();
    go(parts.first());
    refresh();
  }

  function askHandIn() {
    queue.flush();
    const first = paper.items.findIndex((item, index) => !paper.answered(item.id) && parts.reachable(index));
    const open = parts.left() !== 0 && first >= 0;
    openBox(screens.handInBox({ counts: paper.counts(), unopened: parts.unopened().length, toFirst: open ? () => go(first) : null, handIn: () => queue.handIn(), offline: clock.connected() ? "" : store.durable() ? "exam.handin_offline" : "exam.handin_page" }));
  }

  await queue.start({ attempt, tablet: document_.tablet, next_seq: document_.next_seq, fresh }, document_.responses);
  return {
    queue,
    // Onto the screen; the clock has been told what the paper came with.
    begin() {
      parts.resume();
      const from = Math.min(paper.marks.at, paper.items.length - 1);
      replace(env.root);
      view.build();
      view.show(parts.reachable(from) ? from : Math.max(0, parts.first()), false);
      begun = true;
      if (noted && noted.unsent) keepSettings();
      refresh();
    },
    onClock,
    tick,
    refresh,
    refreshBanners,
    rebuild() {
      view.build();
      clearCover();
      refresh();
      showCover();
    },
    // Resolves when all this page has is in the store.
    stop() {
      const rest = queue.stop();
      stopped = true;
      hush();
      clearTimeout(over);
      clearTimeout(settingsTimer);
      clearCover();
      return rest;
    },
    // Nothing of the paper stays behind.
    forget() {
      if (media) media.clear();
      settingsBox.apply(settingsBox.PLAIN);
      replace(env.root);
    },
  };
}
