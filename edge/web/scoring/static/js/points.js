// What a sheet is worth so far, by the room's own rule: each step's points less its deductions, never below zero; any
// veto makes it zero. The room counts again when the sheet is signed, and its count is the one that holds.

export function stepPoints(step, marks) {
  const lost = step.deductions.reduce((sum, one) => sum + one.points * (marks[one.id] || 0), 0);
  return Math.max(0, step.points - lost);
}

export function total(rubric, draft) {
  if (Object.keys(draft.vetoes).length) return 0;
  return rubric.steps.reduce((sum, step) => sum + stepPoints(step, draft.marks), 0);
}

export function full(rubric) {
  return rubric.steps.reduce((sum, step) => sum + step.points, 0);
}
