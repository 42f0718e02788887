// Buttons of a page that the room has drawn do nothing before the page's script has come: until then they are disabled,
// so that nobody's press is lost.

export function wake() {
  for (const button of document.querySelectorAll("button[data-script]")) button.disabled = false;
}
