// Short tones, so that one who does not look at the screen hears how it went. Off until the screen was touched once,
// where the browser wants it so.

const TUNES = { welcome: [660, 880], refused: [330, 247], see_proctor: [523, 440], try_again: [440], look: [587] };
let context = null;

export function play(state) {
  const tune = TUNES[state];
  const Context = window.AudioContext || window.webkitAudioContext;
  if (!tune || !Context) return;
  try {
    context = context || new Context();
    tune.forEach((pitch, i) => {
      const at = context.currentTime + i * 0.18;
      const tone = context.createOscillator();
      const volume = context.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.0001, at);
      volume.gain.exponentialRampToValueAtTime(0.25, at + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.16);
      tone.connect(volume);
      volume.connect(context.destination);
      tone.start(at);
      tone.stop(at + 0.17);
    });
  } catch (error) {
    context = null;
  }
}
