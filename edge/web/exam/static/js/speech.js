// Reading a question aloud, by the tablet's own voice and only when asked.

const synth = window.speechSynthesis;
const voiceFor = (language) => (synth ? synth.getVoices().find((voice) => voice.lang.replace("_", "-").toLowerCase().startsWith(language)) : null);

export const canSpeak = () => Boolean(voiceFor("zh"));

export function onVoices(changed) {
  if (synth && synth.addEventListener) synth.addEventListener("voiceschanged", changed);
}

export function stop() {
  if (synth) synth.cancel();
}

// pieces: [{text, lang}]; what has no voice on this tablet is left out. done() when it is over.
export function speak(pieces, done) {
  stop();
  const spoken = pieces.filter((piece) => voiceFor(piece.lang));
  spoken.forEach((piece, at) => {
    const said = new SpeechSynthesisUtterance(piece.text);
    said.voice = voiceFor(piece.lang);
    said.lang = said.voice.lang;
    said.rate = 0.9;
    if (at === spoken.length - 1) said.onend = said.onerror = done;
    synth.speak(said);
  });
}

// What is read of an item: the stem, then each choice with its letter.
export function piecesOf(item, second) {
  const pieces = [];
  const add = (prefix, text, more) => {
    pieces.push({ lang: "zh", text: prefix + text.replace(/_{4,}/g, "，空，") });
    if (second && more && more[second]) pieces.push({ lang: second, text: more[second].replace(/_{4,}/g, ", ") });
  };
  if (item.material) add("", item.material.stem, item.material.stem_more);
  add("", item.stem, item.stem_more);
  for (const left of item.left || []) add(left.key + "，", left.text, left.more);
  for (const option of item.options || []) add(option.key + "，", option.text, option.more);
  return pieces;
}
