// Whether what failed is tried again as it is. Everything else is the room's own refusal: kept here with its reason, shown,
// and sent again or thrown away only when the examiner says so.

export function tryAgain(failure) {
  // a token that is no longer good is made new, a part damaged on its way is sent again; without a sentence of the room's it was a proxy or a captive portal
  return failure.offline || failure.status >= 500 || failure.status === 429 || failure.status === 401 || ["csrf_wrong", "picture_part_wrong"].includes(failure.code) || !failure.code;
}

export const reasonOf = (failure) => ({ message: failure.message, code: failure.code || "" });
