// Unlocking a bank under two shares: two persons, each with the code of their own slip; neither needs to see the other's.

import { h } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { ask, reasonField } from "/ui/static/js/dialog.js";
import { hm } from "/ui/static/js/time.js";
import { newId } from "./send.js";

// Readable while it is typed, hidden as soon as the next person has the keyboard.
function codeField(slip) {
  const input = h("input", {
    name: "code" + slip, type: "text", required: true, maxlength: 40, inputmode: "numeric", autocomplete: "off", spellcheck: "false",
    pattern: "[0-9 \\-]*", class: "num slip-code", onfocus: () => { input.type = "text"; },
    onblur: () => {
      input.value = input.value.replace(/[^0-9]/g, "").replace(/(....)(?=.)/g, "$1 ");
      input.type = "password";
    },
  });
  return h("label", { class: "field" }, h("span", {}, t("console.unlock_slip", { slip })), input);
}

export function unlockDialog(sender, board) {
  const bank = board.session.locked_bank;
  const label = t("console.act_unlock_bank");
  const op = newId();
  const early = bank.opens_ms > board.now ? t("console.unlock_from", { time: hm(bank.opens_ms) }) : "";
  const online = bank.ways.includes("gateway") ? t("console.unlock_online") : "";
  ask({
    title: label, button: label, lead: [t("console.lead_unlock_bank", { name: bank.name, version: bank.version }), online, early].filter(Boolean).join(" "),
    fields: [
      codeField(1),
      codeField(2),
      reasonField([t("console.phrase_no_gateway")], true),
      h("fieldset", { class: "second" }, h("legend", {}, t("console.unlock_second")),
        h("div", { class: "pair" },
          h("label", { class: "field" }, h("span", {}, t("console.second_badge")), h("input", { name: "second_badge", required: true, maxlength: 64, autocomplete: "off", autocapitalize: "characters", onkeydown: readerEnter })),
          h("label", { class: "field" }, h("span", {}, t("console.second_pin")), h("input", { name: "second_pin", type: "password", required: true, maxlength: 64, inputmode: "numeric", autocomplete: "off" })))),
    ],
    act: (form) => {
      const of = form.elements;
      const second = { badge: of.second_badge.value.trim(), pin: of.second_pin.value };
      return sender.send("unlock-bank", { reason: of.reason.value.trim(), code1: of.code1.value, code2: of.code2.value, second }, label, op);
    },
  });
}

function readerEnter(event) {
  if (event.key !== "Enter") return;
  event.preventDefault();
  event.target.form.elements.second_pin.focus();
}
