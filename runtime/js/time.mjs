/* What a module remembers: the part of its schema about time, steps that are no request, the state as bytes.
 *
 * In: steps as JSON has them, bytes of `save` (docs/edge.md; the C of the policy writes and reads the same). Out: a
 * function of the module with its variables; bytes; the variables of a saved state.
 * What always holds: a step or bytes that cannot be used are a StateError, and the state is as it was.
 */

import { InvalidField, NAME_MAX, legible, readRequest, readValue } from "./request.mjs";

export const NOW = "clock.now";
export const DEADLINE = "out.deadline";
export const ANSWER = { taken: 0, invalid: -1, damaged: -3, uncalled: -4 };
export const TIME_MAX = 2n ** 53n - 1n;
export const NEVER = -(2n ** 63n);
export const UNKNOWN = 2n ** 63n - 1n;

const MAGIC = 0x6472616f62766f67n; // "govboard", little-endian
const MAJOR = 1;
const HEAD = 32;
const TIME_BYTES = 8;
const SUMMED_FROM = 16;

/** A step, or a saved state, that cannot be used; `code` is its page in `gov help`. */
export class StateError extends RangeError {
  constructor(code, message) {
    super(message);
    this.name = "StateError";
    this.code = code;
  }
}

/* --- the schema --- */

/** The member `time` of a schema; what is not of the documented form throws. */
export function timeOf(plain, fieldOf) {
  const scopes = plain.scopes.map((one) => one.name);
  if (!["state", "shared,state"].includes(scopes.join())) throw new RangeError("no such scopes");
  const cells = plain.scopes.flatMap((one) => (one.cells ?? []).map((cell) => cellOf(cell, one.name, fieldOf)));
  const stateBytes = cells.reduce((sum, one) => sum + one.bytes, TIME_BYTES * scopes.length);
  if (stateBytes !== plain.state_bytes) throw new RangeError("other bytes");
  if (!/^[0-9a-f]{16}$/.test(plain.definition)) throw new RangeError("no definition");
  return {
    key: plain.key ?? null,
    longestMs: BigInt(plain.longest_ms),
    stateBytes,
    definition: plain.definition,
    scopes,
    cells,
    samples: (plain.samples ?? []).map((one) => sampleOf(one, fieldOf)),
  };
}

function cellOf(plain, scope, fieldOf) {
  const field = fieldOf(plain);
  const { bytes, freshness = false } = plain;
  const [initial, cap] = [BigInt(plain.initial ?? 0), plain.cap === undefined ? null : BigInt(plain.cap)];
  if (![1, 2, 4, 8].includes(bytes) || initial < field.lo || initial > field.hi) throw new RangeError(field.name);
  return { field, scope, name: `${scope}.${field.name}`, bytes, initial, cap, freshness };
}

function sampleOf({ name, event = true, shared = false, fields = [] }, fieldOf) {
  if (typeof name !== "string" || (!event && fields.length !== 1)) throw new TypeError("no sample");
  const variableOf = (field) => (event ? `sample.${name}.${field}` : `sample.${name}`);
  const own = fields.map(fieldOf).map((field) => ({ ...field, variable: variableOf(field.name) }));
  return { name, event, shared, fields: own, function: `${event ? "event" : "signal"}.${name}` };
}

/* --- steps --- */

const MEMBERS = {
  request: ["at_ms", "request", "runtime", "decision", "rule_id"],
  event: ["at_ms", "key", "event", "fields"],
  signal: ["at_ms", "key", "signal", "value"],
  tick: ["at_ms", "key", "tick"],
};

/** A step as the module takes it: the function, its variables, the time (null: now) and the key (null: none). */
export function readStep(time, fields, step) {
  const kind = kindOf(step);
  const { at_ms: at } = step;
  if (at !== undefined && !isTime(at)) throw unusable("`at_ms` must be a whole number of milliseconds");
  const atMs = at === undefined ? null : BigInt(at);
  const key = keyOf(time, fields, step.key ?? null);
  if (kind === "request") throw unusable("a request is no step that is observed");
  if (kind === "tick") return { function: "tick", variables: [], atMs, key };
  const sample = sampleNamed(time, step[kind], kind === "event");
  const own = time.key !== null && !sample.shared;
  if (own !== (key !== null)) throw unusable(`\`${sample.name}\` ${own ? "lacks its key" : "has no key"}`);
  return { function: sample.function, variables: carried(sample, step), atMs, key };
}

/** The kind of a step; it has the members of one kind, and no others. */
function kindOf(step) {
  if (step === null || typeof step !== "object" || Array.isArray(step)) throw unusable("the step must be an object");
  const names = Object.keys(step).filter((name) => step[name] !== undefined);
  refuseStrange(names, Object.values(MEMBERS).flat(), "a step");
  const kinds = Object.keys(MEMBERS).filter((kind) => names.includes(kind));
  if (kinds.length !== 1) {
    const found = kinds.map((kind) => `\`${kind}\``).join(" and ") || "none of them";
    throw unusable(`a step has one of \`request\`, \`event\`, \`signal\` and \`tick\`, this one ${found}`);
  }
  const [kind] = kinds;
  refuseStrange(names, MEMBERS[kind], `a step with \`${kind}\``);
  if (["event", "signal"].includes(kind) && typeof step[kind] !== "string") throw unusable(`\`${kind}\` must be a name`);
  if (kind === "signal" && !names.includes("value")) throw unusable("a step with `signal` needs its `value`");
  if (kind === "tick" && step.tick !== true) throw unusable("`tick` must be true");
  return kind;
}

function refuseStrange(names, known, what) {
  const strange = names.find((name) => !known.includes(name));
  if (strange !== undefined) throw unusable(`\`${legible(strange, NAME_MAX)}\` is no part of ${what}`);
}

/** Whether something is a time of a sample. */
export function isTime(value) {
  const whole = typeof value === "bigint" || Number.isInteger(value);
  return whole && BigInt(value) <= TIME_MAX && BigInt(value) >= -TIME_MAX;
}

function sampleNamed(time, name, isEvent) {
  const found = time.samples.find((one) => one.name === name && one.event === isEvent);
  if (found === undefined) {
    throw unusable(`the policy declares no ${isEvent ? "event" : "signal"} \`${legible(name, NAME_MAX)}\``);
  }
  return found;
}

function carried(sample, { fields = {}, signal, value }) {
  const given = sample.event ? fields : { [signal]: value };
  if (given === null || typeof given !== "object" || Array.isArray(given)) {
    throw unusable(`the fields of \`${sample.name}\` must be an object`);
  }
  try {
    const values = readRequest(sample.fields, given, {});
    return sample.fields.map((one) => [one.variable, values.get(one.name)]).filter(([, one]) => typeof one === "bigint");
  } catch (error) {
    if (error instanceof InvalidField) throw unusable(error.message);
    throw error;
  }
}

function keyOf(time, fields, given) {
  let key = given;
  if (key !== null && typeof key === "object") {
    const names = Object.keys(key);
    if (names.length !== 1 || names[0] !== time.key) throw unusable(`the key must name \`${time.key}\` and nothing else`);
    key = key[time.key];
  }
  if (key !== null && (typeof key !== "string" || time.key === null)) {
    throw unusable(time.key === null ? "the policy has no key" : "the key must be a text");
  }
  const wrong = key === null ? null : whyNoKey(time, fields, key);
  if (wrong !== null) throw unusable(wrong);
  return key;
}

/** Why no request could have a key; null if one could. */
function whyNoKey(time, fields, key) {
  try {
    readValue(fields.find((one) => one.name === time.key), key);
    return null;
  } catch (error) {
    if (error instanceof InvalidField) return `the key ${error.message}`;
    throw error;
  }
}

/** Something is about another key than that whose state the module keeps. */
export function noRoom(named) {
  return new StateError("GOV418", `${named} is about a key for which there is no room`);
}

function unusable(message) {
  return new StateError("GOV415", message);
}

/* --- the state as bytes --- */

/** Every variable of the state, in order. */
export function* places(time) {
  for (const scope of time.scopes) {
    yield { name: `clock.${scope}`, bytes: TIME_BYTES, lo: -TIME_MAX, hi: TIME_MAX, isTime: true, fresh: null };
    for (const cell of time.cells.filter((one) => one.scope === scope)) {
      const { name, bytes, field, freshness, cap } = cell;
      yield { name, bytes, lo: field.lo, hi: field.hi, isTime: false, fresh: freshness ? cap : null };
    }
  }
}

/** The state that a module holds; `read` gives a variable by name. */
export function save(time, read, now) {
  const nowMs = whole(now, "nowMs", -TIME_MAX);
  const bytes = new Uint8Array(HEAD + time.stateBytes);
  put(bytes, 0, 8, MAGIC);
  put(bytes, 8, 4, BigInt(MAJOR));
  put(bytes, 16, 8, BigInt(`0x${time.definition}`));
  put(bytes, 24, 8, nowMs);
  let at = HEAD;
  for (const one of places(time)) {
    put(bytes, at, one.bytes, read(one.name));
    at += one.bytes;
  }
  put(bytes, 12, 4, BigInt(sum(bytes)));
  return bytes;
}

/** Refuse a saved state that is not said to be somebody's: its bytes hold no key. */
export function checkOwner(time, fields, key) {
  const wrong = whyNoOwner(time, fields, key);
  if (wrong !== null) throw damaged(wrong);
}

function whyNoOwner(time, fields, key) {
  if (time.key === null) return key === null ? null : "the policy has no key";
  if (key === null) return `its bytes do not say whose it is, give the \`${time.key}\` that it was saved for as \`key\``;
  return typeof key === "string" ? whyNoKey(time, fields, key) : "the key must be a text";
}

/** The variables of a saved state on the clock of now; `downtime` is null where nobody knows it. */
export function restored(time, bytes, now, downtime) {
  const nowMs = whole(now, "nowMs", -TIME_MAX);
  const downtimeMs = downtime === null ? null : whole(downtime, "downtimeMs", 0n);
  if (!(bytes instanceof Uint8Array)) throw damaged("it is no Uint8Array");
  if (bytes.length !== HEAD + time.stateBytes) throw damaged("it is cut off, or the state of another policy");
  if (get(bytes, 0, 8) !== MAGIC) throw damaged("it is no saved state of a board");
  if (get(bytes, 8, 2) !== BigInt(MAJOR)) throw damaged("it has another major version of the format");
  if (get(bytes, 12, 4) !== BigInt(sum(bytes))) throw damaged("it is damaged");
  if (get(bytes, 16, 8) !== BigInt(`0x${time.definition}`)) {
    throw damaged("its cells mean something else than those of this policy");
  }
  const savedMs = BigInt.asIntN(64, get(bytes, 24, 8));
  if (!isTime(savedMs)) throw damaged("it was saved at no time");
  const found = new Map();
  let at = HEAD;
  for (const one of places(time)) {
    const raw = get(bytes, at, one.bytes);
    const value = one.lo < 0n ? BigInt.asIntN(8 * one.bytes, raw) : raw;
    found.set(one.name, one.isTime ? moved(value, nowMs - savedMs, downtimeMs) : cell(one, value, downtimeMs));
    at += one.bytes;
  }
  return found;
}

function cell(one, value, downtimeMs) {
  if (value < one.lo || value > one.hi) throw damaged(`\`${one.name}\` is out of range`);
  return downtimeMs === null && one.fresh !== null ? one.fresh : value;
}

function moved(atMs, shift, downtimeMs) {
  if (atMs === NEVER || atMs === UNKNOWN) return atMs;
  if (!isTime(atMs)) throw damaged("a time lies beyond what can be counted");
  if (downtimeMs === null) return UNKNOWN;
  const found = atMs + shift - downtimeMs;
  if (!isTime(found)) throw damaged("a time lies beyond what can be counted");
  return found;
}

/** A time, or a length of time, that the host gives with a state, as a BigInt. */
function whole(value, name, least) {
  if (isTime(value) && BigInt(value) >= least) return BigInt(value);
  throw new StateError("GOV419", `\`${name}\` must be a whole number of milliseconds from ${least} on`);
}

function damaged(why) {
  return new StateError("GOV419", `the saved state cannot be used: ${why}`);
}

function put(bytes, at, size, value) {
  let rest = BigInt.asUintN(64, value);
  for (let i = 0; i < size; i += 1) {
    bytes[at + i] = Number(rest & 255n);
    rest >>= 8n;
  }
}

function get(bytes, at, size) {
  let value = 0n;
  for (let i = size - 1; i >= 0; i -= 1) value = (value << 8n) | BigInt(bytes[at + i]);
  return value;
}

/** The CRC-32 of the bytes behind the sum. */
function sum(bytes) {
  let found = 0xffffffff;
  for (const byte of bytes.subarray(SUMMED_FROM)) {
    found ^= byte;
    for (let bit = 0; bit < 8; bit += 1) found = found & 1 ? (found >>> 1) ^ 0xedb88320 : found >>> 1;
  }
  return ~found >>> 0;
}
