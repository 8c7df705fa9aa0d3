// Numbers as people read them: a true minus, never "-0.00", infinity as a symbol.

const NAMED = { nan: NaN, inf: Infinity, "-inf": -Infinity };
const MINUS = "\u2212";
const SUPERSCRIPTS = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079";

/** A number as Python sent it; NaN and the infinities come as strings. */
export function toNumber(sent) {
  return typeof sent === "string" ? NAMED[sent] ?? NaN : sent ?? NaN;
}

export function format(value, digits = 2) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return (value < 0 ? MINUS : "") + "\u221e";
  const text = Math.abs(value).toFixed(digits);
  return (value < 0 && Number(text) !== 0 ? MINUS : "") + text;
}

/** Only as many digits as needed, at most four that matter: 0.5, 1200, 3·10⁻⁴. */
export function compact(value) {
  if (!Number.isFinite(value)) return format(value);
  const size = Math.abs(value);
  if (size && (size >= 1e5 || size < 1e-3)) return scientific(value);
  return (value < 0 ? MINUS : "") + String(Number(size.toPrecision(4)));
}

function scientific(value) {
  const [digits, power] = Math.abs(value).toExponential(2).split("e");
  const exponent = [...String(Math.abs(power))].map((digit) => SUPERSCRIPTS[digit]).join("");
  const ten = `10${Number(power) < 0 ? "\u207b" : ""}${exponent}`;
  return (value < 0 ? MINUS : "") + (Number(digits) === 1 ? ten : `${Number(digits)}\u00b7${ten}`);
}

export function clamp(value, low, high) {
  return Math.max(low, Math.min(high, value));
}

/** Round tick positions from `low` to `high`, about `count` of them. */
export function linearTicks(low, high, count = 5) {
  const step = niceStep((high - low) / count);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return range(first, last).map((i) => i * step);
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((factor) => factor * power >= rough * 0.999) ?? 10);
}

/** Powers of ten, with 2 and 5 between them where there are few. */
export function logTicks(low, high) {
  const powers = range(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)));
  const every = Math.ceil(powers.length / 7);
  const factors = powers.length <= 3 ? [1, 2, 5] : [1];
  return powers
    .filter((power) => power % every === 0)
    .flatMap((power) => factors.map((factor) => factor * 10 ** power))
    .filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
}

export function range(first, last) {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}
