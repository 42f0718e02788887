// A badge reader types the number and then Enter: that must lead to the PIN, not send half a form.

const form = document.querySelector("form");
const badge = form.elements.badge;
const pin = form.elements.pin;

badge.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !pin.value) {
    event.preventDefault();
    if (badge.value.trim()) pin.focus();
  }
});

// A hand scanner types wherever the cursor is: a pass that begins in the badge field goes on in its own.
const pass = document.querySelector('input[name="pass"]');
badge.addEventListener("input", () => {
  if (!badge.value.startsWith("XP1:")) return;
  pass.value = badge.value;
  badge.value = "";
  pass.focus();
});
