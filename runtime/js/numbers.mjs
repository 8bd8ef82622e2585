/* Numbers as the one written rule takes them (native/request.py): exact, whatever a double can and cannot hold.
 *
 * In: doubles, BigInts, fields with a step of stepNum / stepDen. Out: steps as BigInt, texts for messages.
 */

const EXACT = 2n ** 53n;
const DIGITS_MAX = 10n ** 25n;

/** The double that is nearest to top / bottom (bottom > 0), ties to even. */
export function quotient(top, bottom) {
  if (top < 0n) return -quotient(-top, bottom);
  if (top <= EXACT && bottom <= EXACT) return Number(top) / Number(bottom);
  const shift = Math.max(0, 66 + bits(bottom) - bits(top));
  const scaled = top << BigInt(shift);
  const rest = scaled % bottom === 0n ? 0n : 1n; // what is cut off only breaks ties
  return Number(((scaled / bottom) << 1n) | rest) / 2 ** (shift + 1);
}

function bits(value) {
  return value.toString(2).length;
}

export function floorDiv(a, b) {
  const whole = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? whole - 1n : whole;
}

/** The step whose nearest double is `raw`: one multiplication, one rounding, one division; null if there is none. */
export function nearestStep(one, raw) {
  const scaled = (raw * Number(one.stepDen)) / Number(one.stepNum);
  if (!(Math.abs(scaled) < 2 ** 63)) return raw > 0 ? one.hi + 1n : one.lo - 1n;
  const steps = BigInt(halfEven(scaled));
  return quotient(steps * one.stepNum, one.stepDen) === raw ? steps : null;
}

function halfEven(value) {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

/** A finite double as a fraction, exactly. */
export function fraction(raw) {
  let [value, den] = [raw, 1n];
  while (!Number.isInteger(value)) {
    value *= 2;
    den *= 2n;
  }
  return [BigInt(value), den];
}

/** Steps of top / bottom by a field's rounding; null where it must be exact and is not. */
export function rounded(one, top, bottom) {
  const [a, b] = [top * one.stepDen, bottom * one.stepNum];
  if (a % b === 0n) return a / b;
  switch (one.rounding) {
    case "up":
      return floorDiv(a, b) + 1n;
    case "down":
      return floorDiv(a, b);
    case "nearest":
      return floorDiv(2n * a + b, 2n * b);
    default:
      return null;
  }
}

/* --- for messages --- */

/** `steps` of a field in its unit. */
export function inUnit(one, steps) {
  const top = steps * one.stepNum;
  return top % one.stepDen === 0n ? String(top / one.stepDen) : doubleText(quotient(top, one.stepDen));
}

/** A number as messages show it: as Python prints it. */
export function numberText(raw) {
  if (typeof raw === "number" && !Number.isInteger(raw)) return doubleText(raw);
  const whole = BigInt(raw);
  return whole >= DIGITS_MAX || whole <= -DIGITS_MAX ? "a number of more than 25 digits" : String(whole);
}

function doubleText(raw) {
  if (!Number.isFinite(raw)) return Number.isNaN(raw) ? "nan" : raw > 0 ? "inf" : "-inf";
  const size = Math.abs(raw);
  if (size >= 1e-4 && size < 1e16) return Number.isInteger(raw) ? `${raw}.0` : String(raw);
  return raw.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}
