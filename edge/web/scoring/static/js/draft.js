// A sheet begun and not yet signed, kept on this tablet under random ids: no name, no PIN.

const key = (session, person) => "score/" + session + "/" + person;

export function loadDraft(session, person) {
  const empty = { marks: {}, vetoes: {}, note: "" };
  try {
    return Object.assign(empty, JSON.parse(localStorage.getItem(key(session, person)) || "{}"));
  } catch (error) {
    return empty;
  }
}

export function hasDraft(session, person) {
  return localStorage.getItem(key(session, person)) !== null;
}

export function saveDraft(session, person, draft) {
  localStorage.setItem(key(session, person), JSON.stringify(draft));
}

export function dropDraft(session, person) {
  localStorage.removeItem(key(session, person));
}
