/* The one written rule that turns a request into integers, as native/request.py has it.
 *
 * In: the fields of a schema and a request. Out: a Map from fields to BigInt (steps, positions, masks, 0 or 1,
 * milliseconds) or string. Nothing is clamped or guessed. A number that is whole is taken exactly, as a BigInt is;
 * another one counts as the step whose nearest double it is, or not at all, unless the field says how it rounds.
 */

import { fraction, inUnit, nearestStep, numberText, rounded } from "./numbers.mjs";

const APPROVED = "approved";
const SHOWN_MAX = 40;
export const NAME_MAX = 200;
const encoder = new TextEncoder();

/** A request cannot be read; `field` names the culprit, `why` says what is wrong. */
export class InvalidField extends Error {
  constructor(field, why) {
    super(`\`${legible(field, NAME_MAX)}\` ${why}`);
    this.name = "InvalidField";
    this.field = field;
    this.why = why;
  }
}

/** The values of a request, fields in the order of the schema; throws InvalidField. */
export function readRequest(fields, request, runtime) {
  const values = new Map();
  for (const one of fields) {
    const fromCaller = one.origin === "request";
    if (!fromCaller && Object.hasOwn(request, one.name)) {
      throw new InvalidField(one.name, "is set by the host, a request must not carry it");
    }
    const value = readField(one, fromCaller ? request : runtime);
    if (value !== undefined) values.set(one.name, value);
  }
  refuseUnknown(fields, request, runtime);
  return values;
}

function readField(one, source) {
  if (Object.hasOwn(source, one.name)) return readValue(one, source[one.name]);
  if (one.implied !== null) return one.implied;
  if (one.optional) return undefined;
  throw new InvalidField(one.name, "is missing");
}

function refuseUnknown(fields, request, runtime) {
  const known = new Map(fields.map((one) => [one.name, one.origin === "request"]));
  for (const name of Object.keys(request)) {
    if (!known.has(name)) throw new InvalidField(name, "is not a field of this policy");
  }
  for (const name of Object.keys(runtime)) {
    if (known.get(name) ?? name !== APPROVED) throw new InvalidField(name, "is not a runtime field of this policy");
  }
}

/** One value of a field; throws InvalidField. */
export function readValue(one, raw) {
  switch (one.kind) {
    case "number":
      return readNumber(one, raw);
    case "time":
    case "duration":
      return readWhole(one, raw);
    case "enum":
      return BigInt(readMember(one, raw));
    case "set":
      return readSet(one, raw);
    case "bool":
      if (typeof raw !== "boolean") throw wrong(one, "true or false", raw);
      return raw ? 1n : 0n;
    default:
      return readText(one, raw);
  }
}

function readWhole(one, raw) {
  const whole = typeof raw === "bigint" || Number.isInteger(raw);
  if (!whole) throw wrong(one, "a whole number of milliseconds", raw);
  return inRange(one, BigInt(raw), raw);
}

function readNumber(one, raw) {
  if (typeof raw !== "number" && typeof raw !== "bigint") throw wrong(one, "a number", raw);
  if (typeof raw === "number" && !Number.isFinite(raw)) throw wrong(one, "a finite number", raw);
  const isWhole = typeof raw === "bigint" || Number.isInteger(raw);
  const steps = isWhole ? rounded(one, BigInt(raw), 1n) : (nearestStep(one, raw) ?? rounded(one, ...fraction(raw)));
  if (steps === null) throw new InvalidField(one.name, `is ${shown(raw)}, must be a multiple of ${inUnit(one, 1n)}`);
  return inRange(one, steps, raw);
}

function inRange(one, steps, raw) {
  if (steps >= one.lo && steps <= one.hi) return steps;
  const unit = one.unit ? ` ${one.unit}` : "";
  const range = `${inUnit(one, one.lo)}..${inUnit(one, one.hi)}${unit}`;
  throw new InvalidField(one.name, `is ${shown(raw)}, must be in ${range}`);
}

function readMember(one, raw) {
  const at = typeof raw === "string" ? one.members.indexOf(raw) : -1;
  if (at < 0) throw wrong(one, `one of ${one.members.join(", ")}`, raw);
  return at;
}

function readSet(one, raw) {
  if (!Array.isArray(raw) && !(raw instanceof Set)) throw wrong(one, "a list of members", raw);
  let mask = 0n;
  for (const member of raw) {
    if (one.name === APPROVED && typeof member === "string" && !one.members.includes(member)) continue;
    const bit = 1n << BigInt(readMember(one, member));
    if (mask & bit && one.name !== APPROVED) throw new InvalidField(one.name, `names \`${member}\` twice`);
    mask |= bit;
  }
  return mask;
}

function readText(one, raw) {
  if (typeof raw !== "string") throw wrong(one, "a text", raw);
  if (!isWellFormed(raw)) throw new InvalidField(one.name, "is not valid UTF-8");
  const size = encoder.encode(raw).length;
  if (size > one.max) throw new InvalidField(one.name, `is ${size} bytes long, must be at most ${one.max}`);
  if (one.kind === "path") refuseEscape(one, raw);
  return raw;
}

/** Whether a text has no half of a surrogate pair, which UTF-8 cannot say. */
function isWellFormed(text) {
  return !/[\ud800-\udfff]/u.test(text);
}

/** Refuse what could leave a directory. */
function refuseEscape(one, text) {
  if (text.includes("\\") || text.includes("\0")) throw new InvalidField(one.name, "must not hold a backslash or NUL");
  if (text === "") throw new InvalidField(one.name, "is empty, which a path must not be");
  if (text.startsWith("/")) throw new InvalidField(one.name, "begins with `/`, which a path must not");
  if (text.endsWith("/")) throw new InvalidField(one.name, "ends with `/`, which a path must not");
  for (const segment of text.split("/")) {
    if (segment === "" || segment === "." || segment === "..") {
      const shown = segment === "" ? "an empty segment (`//`)" : `the segment \`${segment}\``;
      throw new InvalidField(one.name, `has ${shown}, which a path must not`);
    }
  }
}

/* --- messages --- */

function wrong(one, expected, raw) {
  return new InvalidField(one.name, `must be ${expected}, not ${shown(raw)}`);
}

function shown(raw) {
  switch (typeof raw) {
    case "string":
      return [...raw].length <= SHOWN_MAX ? `the text \`${legible(raw, SHOWN_MAX)}\`` : "a longer text";
    case "number":
    case "bigint":
      return numberText(raw);
    case "boolean":
    case "undefined":
      return String(raw);
    case "object":
      if (raw === null) return "null";
      return Array.isArray(raw) || raw instanceof Set ? "a list" : "an object";
    default:
      return `a ${typeof raw}`;
  }
}

/** A caller's text for a message: short, and without what would act on a terminal or is no UTF-8. */
export function legible(text, most) {
  const characters = [...text];
  return characters.slice(0, most).map(printable).join("") + (characters.length > most ? "…" : "");
}

function printable(character) {
  if (character === " " || !/[\p{C}\p{Z}]/u.test(character)) return character;
  return `\\u{${character.codePointAt(0).toString(16)}}`;
}
