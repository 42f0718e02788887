// What a sheet is worth so far, by the room's own rule. The room counts again when the sheet is signed, with its own
// times, and its count is the one that holds. Points are whole here, since rubrics have whole points.

const MINUTE = 60000;

// As the room reads it: full-width signs are half-width ones, a comma parts thousands and nothing else.
export function written(text) {
  const value = String(text).normalize("NFKC").replace(/\s/g, "").replace(/(\d)。(?=\d)/g, "$1.").replace(/[\u2212\u2013]/g, "-");
  return /^[-+]?(\d{1,3}(,\d{3})+|\d+)(\.\d*)?$|^[-+]?\.\d+$/.test(value) ? value.replace(/,/g, "") : null;
}

// Points a measured value costs, or "zero" for its step, or "veto".
export function measuredLoss(measure, text) {
  const value = written(text);
  if (value === null) return 0;
  // in whole ten-millionths, so that 1.55 is no further from 1.5 than 0.05
  const whole = (x) => Math.round(Number(x) * 10000000);
  const away = Math.abs(whole(value) - whole(measure.target));
  for (const band of measure.bands) {
    if (away <= whole(band.within)) return band.points === null || band.points === undefined ? band.deduct : measure.points - band.points;
  }
  return measure.beyond;
}

export function overtime(rule, minutes, taken) {
  const over = taken - minutes * MINUTE;
  if (over <= 0) return 0;
  if (rule.end_after !== null && rule.end_after !== undefined && over > rule.end_after * MINUTE) return rule.then;
  const lost = Math.ceil(over / MINUTE) * rule.per_minute;
  return rule.most === null || rule.most === undefined ? lost : Math.min(lost, rule.most);
}

export function stepTimes(stamps, order) {
  const times = {};
  let last = 0;
  const done = Object.keys(stamps).sort((a, b) => stamps[a].elapsed_ms - stamps[b].elapsed_ms || order.indexOf(a) - order.indexOf(b));
  for (const step of done) {
    times[step] = Math.max(0, stamps[step].elapsed_ms - last);
    last = Math.max(last, stamps[step].elapsed_ms);
  }
  return times;
}

// {points, full, vetoed, steps: {id: points left}}; `elapsed` null when nobody timed it.
export function worth(rubric, content, stamps, elapsed) {
  let vetoed = content.vetoes.length > 0;
  const times = elapsed === null ? {} : stepTimes(stamps, rubric.steps.map((step) => step.id));
  const steps = {};
  let points = 0;
  for (const step of rubric.steps) {
    let left = step.points - step.deductions.reduce((sum, one) => sum + one.points * (content.marks[one.id] || 0), 0);
    const losses = (step.measures || []).filter((one) => one.id in content.measured).map((one) => measuredLoss(one, content.measured[one.id]));
    if (step.over && step.minutes && step.id in times) losses.push(overtime(step.over, step.minutes, times[step.id]));
    for (const loss of losses) {
      if (loss === "veto") vetoed = true;
      left = typeof loss === "string" ? -Infinity : left - loss;
    }
    steps[step.id] = Math.max(0, left);
    points += steps[step.id];
  }
  if (rubric.over && elapsed !== null) {
    const lost = overtime(rubric.over, rubric.minutes, elapsed);
    if (lost === "veto") vetoed = true;
    points = typeof lost === "string" ? 0 : Math.max(0, points - lost);
  }
  return { points: vetoed ? 0 : points, full: rubric.points, vetoed, steps };
}

export function missingMeasures(rubric, content) {
  if (content.vetoes.length) return [];
  const wanted = [];
  for (const step of rubric.steps) for (const one of step.measures || []) if (one.required !== false) wanted.push(one);
  return wanted.filter((one) => !(one.id in content.measured));
}
