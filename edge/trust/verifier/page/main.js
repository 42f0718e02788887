// The page itself: keys, a file, a verdict. Whatever comes out of a file reaches the page as text and nothing else.

import { hex, Wrong } from "./bytes.js";
import { checkFile } from "./check.js";
import { limits } from "./evidence.js";
import { engine } from "./hashes.js";
import { keyInFile, keysIn } from "./keys.js";
import { OWN_ROOTS } from "./sentences.js";
import { gatewayKey, keyId } from "./signed.js";
import { asJson, sentence } from "./verdict.js";
import { certificatesIn } from "./x509.js";

const SHOWN = 10;
// Characters that turn the direction of what follows, or are not seen: shown as what they are.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const $ = (id) => document.getElementById(id);
let language = (navigator.language || "zh").startsWith("zh") ? "zh" : "en";
let shown = null;  // how to draw what stands in the answer's place, in the language of now
let running = false;

const t = (name, facts) => sentence("verifier_" + name, language, facts);
const other = () => (language === "zh" ? "en" : "zh");
const seen = (text) => String(text).replace(UNSEEN, (c) => "[U+" + ("000" + c.charCodeAt(0).toString(16).toUpperCase()).slice(-4) + "]");

function element(tag, text, more) {
  const made = Object.assign(document.createElement(tag), more);
  if (text !== undefined) made.textContent = seen(text);
  return made;
}

function draw(parts, tone) {
  const answer = $("answer");
  while (answer.firstChild) answer.removeChild(answer.firstChild);
  answer.className = tone;
  for (const part of parts) answer.appendChild(part);
}

function show(drawer) {
  shown = drawer;
  drawer();
}

function translate() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = t("title");
  for (const place of document.querySelectorAll("[data-text]")) place.textContent = t(place.dataset.text);
  $("own-root").hidden = OWN_ROOTS.length === 0;
  $("own-root").textContent = t("own_root", { keys: OWN_ROOTS.map((key) => key.slice(0, 8) + "…" + key.slice(-8)).join(", ") });
  if (shown) shown();
}

function inBoth(code, facts) {
  return [element("p", sentence(code, language, facts)), element("p", sentence(code, other(), facts), { className: "other", lang: other() })];
}

function rows(verdict) {
  const facts = verdict.facts;
  const row = (name, value) => (value === undefined || value === null || value === "" ? [] : [[t("fact_" + name), value]]);
  const certified = verdict.kind === "completeness";
  const span = facts.from && facts.until ? facts.from + " – " + facts.until : undefined;
  return [].concat(row("room", facts.room), row("institution", facts.institution), row("issuer", facts.issuer), row("camera", facts.camera),
    row("span", span),
    row("session", certified ? facts.session : undefined), row(certified ? "certified" : "made", facts.made), row("by", facts.by), row("why", facts.why), row("entered", facts.entered),
    row("stamp", facts.timestamp && facts.timestamp.checked ? t("stamped", facts.timestamp) : undefined),
    row("witnesses", facts.witnesses ? witnessed(facts) : undefined),
    ...(certified ? facts.cameras.map((one) => row("camera", t("recorded", one))) : []));
}

function witnessed(facts) {
  return facts.witnesses.length ? t("witnessed", { names: facts.witnesses.join(", "), entries: facts.witnessed_entries }) : t("no_witness");
}

// What outsiders vouch for may be older than the footage, or nothing. Only of evidence are there witnesses to tell of.
function uncovered(facts) {
  const names = (facts.witnesses || []).join(", ");
  const before = names && !facts.witness_covers ? [sentence("evidence_witness_before", language, { names, entries: facts.witnessed_entries })] : [];
  const witness = facts.witnesses && !names ? [sentence("evidence_no_witness", language, {})] : before;
  const stamp = facts.timestamp && facts.timestamp.checked && !facts.stamp_covers ? [sentence("evidence_stamp_before", language, facts.timestamp)] : [];
  return witness.concat(stamp);
}

function notes(verdict) {
  const facts = verdict.facts;
  const gaps = (facts.gaps || []).map((gap) => t("gap", gap));
  const absent = (facts.absent || []).map((segment) => t("absent", { segment }));
  const open = gaps.length && facts.open_end ? [sentence("evidence_open_end", language, {})] : [];
  const stamp = facts.timestamp && !facts.timestamp.checked ? [t("stamp_unchecked")] : [];
  if (verdict.kind === "completeness") return [t("own_word")];
  return uncovered(facts).concat(gaps, absent, open, stamp);
}

function drawVerdict(name, verdict) {
  const list = element("dl");
  for (const [label, value] of verdict.ok ? rows(verdict) : []) list.append(element("dt", label), element("dd", value));
  const told = verdict.ok ? inBoth("verified_" + verdict.kind, verdict.facts) : [];
  for (const one of verdict.problems.slice(0, SHOWN)) told.push(...inBoth(one.reason, one.facts));
  if (verdict.problems.length > SHOWN) told.push(element("p", "… +" + (verdict.problems.length - SHOWN)));
  const noted = element("ul");
  for (const note of verdict.ok ? notes(verdict) : []) noted.appendChild(element("li", note));
  const said = [element("h2", (verdict.ok ? "✓ " : "✗ ") + t(verdict.ok ? "good" : "bad")), element("p", name, { className: "name" })].concat(told);
  if (noted.firstChild) said.push(noted);
  if (list.firstChild) said.push(list);
  if (verdict.ok) said.push(element("p", t("limits"), { className: "limits" }));
  draw(said, verdict.ok ? "good" : "bad");
}

function drawRefusal(code, facts) {
  draw(inBoth(code, facts), "bad");
}

// The keys typed in and chosen. With `roots`, a file may also be the one in which a root names a gateway's key.
async function keysOf(field, file, roots) {
  const found = keysIn($(field).value);
  for (const one of $(file).files) {
    const bytes = new Uint8Array(await new Response(one.slice(0, 65536)).arrayBuffer());
    const named = roots ? await gatewayKey(bytes, roots) : null;
    found.push(named ? named.key : keyInFile(bytes));
  }
  return found;
}

// The certificates typed in and chosen, of authorities that time-stamp.
async function authoritiesOf() {
  let text = $("stamp").value;
  for (const one of $("stamp-file").files) text += "\n" + await new Response(one.slice(0, 1 << 20)).text();
  const found = certificatesIn(text);
  if (text.trim() && !found.length) throw new Wrong("timestamp_ca", { path: "PEM" });
  return found;
}

async function run() {
  const file = $("file").files[0];
  if (running) return;
  if (!file) return show(() => drawRefusal("verifier_no_file", {}));
  running = true;
  $("check").disabled = true;
  let percent = 0;
  const waiting = () => draw([element("p", t("checking", { percent }))], "waiting");
  show(waiting);
  const told = (share) => {
    percent = Math.floor(share * 100);
    waiting();
  };
  try {
    const roots = OWN_ROOTS.map((key) => keysIn(key)[0]).concat(await keysOf("root", "root-file"));
    if (roots.length === 0) return show(() => drawRefusal("verifier_no_root", {}));
    const verdict = await checkFile(file, roots, await keysOf("witness", "witness-file", roots), await authoritiesOf(), told);
    show(() => drawVerdict(file.name, verdict));
    return $("answer").scrollIntoView();
  } catch (error) {
    const [code, facts] = error instanceof Wrong && error.code === "verify_root_broken" ? [error.code, error.facts]
      : error instanceof Wrong && error.code.startsWith("timestamp_") ? ["timestamp_ca", { path: "PEM" }]
      : ["verifier_unreadable", { name: file.name, detail: error.name || "Error" }];
    return show(() => drawRefusal(code, facts));
  } finally {
    running = false;
    $("check").disabled = false;
  }
}

$("language").addEventListener("click", () => {
  language = other();
  translate();
});
$("check").addEventListener("click", run);
$("file").addEventListener("change", () => show(() => draw([], "")));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (!running && event.dataTransfer && event.dataTransfer.files.length) {
    $("file").files = event.dataTransfer.files;
    run();
  }
});
translate();

// For scripts: the object that `examroom verify --json` prints, of a Blob and keys as text.
window.examroomVerifier = {
  engine,
  limits,
  keyId: (text) => keysIn(text).map((key) => [hex(key), keyId(key)]),
  verify: async (blob, roots, witnesses, authorities) => asJson(
    await checkFile(blob, keysIn(roots), keysIn(witnesses || ""), certificatesIn(authorities || ""), () => {})),
};
