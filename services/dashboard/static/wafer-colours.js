/* Counts to colours: one logarithmic scale per picture, light on dark or dark on light as the reader prefers. */

const RAMPS = {
  light: [[150, 182, 216], [62, 112, 178], [44, 66, 140], [73, 38, 112], [122, 24, 84], [178, 30, 40]],
  dark: [[56, 92, 136], [84, 150, 196], [116, 200, 196], [190, 222, 140], [246, 208, 96], [255, 150, 90]],
};
const STEPS = 1024;

/** Corners of the ramp as CSS colours, faint to full, for the legend. */
export function rampCss(theme) {
  return RAMPS[theme].map((rgb) => `rgb(${rgb.join(" ")})`);
}

/**
 * A table from count to a packed little-endian RGBA pixel: 0 is transparent, `max` and above is the full colour.
 *
 * @param {"light" | "dark"} theme
 * @param {number} max largest count that is told apart
 * @returns {Uint32Array} 1024 entries; look up `Math.min(count, 1023)` when max < 1024, else use `colourise`
 */
export function table(theme, max) {
  const ramp = RAMPS[theme], out = new Uint32Array(STEPS), full = Math.log1p(Math.max(1, max));
  const floor = faintest(max);
  for (let count = 1; count < STEPS; count++) {
    const share = Math.min(1, floor + (1 - floor) * ((Math.log1p(count) - Math.LN2) / Math.max(1e-9, full - Math.LN2)));
    out[count] = pack(mix(ramp, share));
  }
  return out;
}

/** Share of the ramp where one defect lies: a single one must be seen, among very many it may fade. */
export function faintest(max) {
  return Math.max(0.06, 0.5 - 0.09 * Math.log(Math.max(1, max)));
}

function mix(ramp, share) {
  const at = share * (ramp.length - 1), k = Math.min(ramp.length - 2, Math.floor(at)), f = at - k;
  return ramp[k].map((c, i) => Math.round(c + f * (ramp[k + 1][i] - c)));
}

function pack([r, g, b]) {
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** Writes the colours of `counts` into `pixels` (Uint32Array over an ImageData). */
export function colourise(counts, pixels, theme, max) {
  const colours = table(theme, max), last = STEPS - 1;
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i];
    pixels[i] = colours[count < last ? count : last];
  }
}
