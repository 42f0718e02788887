// How long ago, as one says it.

import { t } from "/ui/static/js/text.js";

export function age(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 90) return t("console.seconds", { n: s });
  if (s < 5400) return t("console.minutes_short", { n: Math.round(s / 60) });
  return t("console.hours", { n: Math.round(s / 3600) });
}
