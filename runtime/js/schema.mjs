/* `gov.schema`: what a module tells a host of its policy (docs/edge.md). Left out members have their default.
 *
 * What always holds: what is not of the documented form is refused with a ModuleError.
 */

import { timeOf } from "./time.mjs";

const VERSION = 1;
const TEXT_KINDS = ["text", "path", "key"];
const KINDS = [...TEXT_KINDS, "number", "enum", "set", "bool", "time", "duration"];
const ORIGINS = ["request", "runtime", "clock"];
const ROUNDINGS = ["exact", "up", "down", "nearest"];

/** The bytes are no module that `gov build` writes, or it does what no such module does. */
export class ModuleError extends TypeError {
  constructor(message, options) {
    super(`${message}; build the policy again with \`gov build\``, options);
    this.name = "ModuleError";
  }
}

export function isText(field) {
  return TEXT_KINDS.includes(field.kind);
}

/** The schema of a compiled module; throws a ModuleError if there is none of the documented form. */
export function readSchema(module) {
  const [section] = WebAssembly.Module.customSections(module, "gov.schema");
  if (section === undefined) throw new ModuleError("the module has no section `gov.schema`");
  let plain;
  try {
    plain = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(section));
    if (plain.schema === VERSION) return schemaOf(plain);
  } catch (cause) {
    throw new ModuleError("gov.schema is not of the documented form", { cause });
  }
  throw new ModuleError(`gov.schema is of version ${plain.schema}, not ${VERSION}`);
}

function schemaOf(plain) {
  const fields = plain.fields.map(fieldOf);
  const inputs = new Map(fields.map((one) => [one.name, one]));
  const targets = new Map([...inputs, ...list(plain.outputs).map(fieldOf).map((one) => [one.name, one])]);
  const actions = new Map(list(plain.actions).map((one) => [text(one.name), argumentsOf(one)]));
  return {
    policy: text(plain.policy),
    version: text(plain.version),
    snapshot: text(plain.snapshot),
    timeZone: plain.time_zone === undefined ? null : text(plain.time_zone),
    fields,
    params: list(plain.params).map((one) => ({ ...fieldOf(one), default: BigInt(one.default) })),
    rules: plain.rules.map(ruleOf),
    assumptions: list(plain.assumptions).map(text),
    targets: list(plain.limits).map((name) => there(targets.get(name))),
    duties: list(plain.dos).map((one) => dutyOf(one, there(actions.get(one.do)))),
    remedies: list(plain.remedies).map((one) => ({ text: text(one.text), values: valuesOf(one.with, inputs) })),
    same: list(plain.same).map(([a, b]) => [text(a), text(b)]),
    roles: inputs.get("approved")?.members ?? [],
    time: plain.time === undefined ? null : timeOf(plain.time, fieldOf),
  };
}

function ruleOf(plain) {
  const [name, because] = typeof plain === "string" ? [plain, ""] : plain;
  return [text(name), text(because)];
}

function argumentsOf(action) {
  return new Map(list(action.args).map((one) => [one.name, fieldOf(one)]));
}

function dutyOf(plain, fields) {
  const forMs = plain.for_ms === undefined ? null : BigInt(plain.for_ms);
  return { action: text(plain.do), values: valuesOf(plain.args, fields), forMs };
}

function valuesOf(plain = {}, fields) {
  return Object.entries(plain).map(([name, one]) => ({
    field: there(fields.get(name)),
    text: one.text === undefined ? null : text(one.text),
    source: one.field === undefined ? null : text(one.field),
    value: one.value === undefined ? null : BigInt(one.value),
  }));
}

function fieldOf(plain) {
  const kind = oneOf(KINDS, plain.kind ?? "number");
  const members = list(plain.members).map(text);
  const [stepNum, stepDen] = plain.step ?? [1, 1];
  const most = { enum: BigInt(members.length - 1), set: (1n << BigInt(members.length)) - 1n };
  const one = {
    name: text(plain.name),
    kind,
    lo: BigInt(plain.lo ?? 0),
    hi: most[kind] ?? BigInt(plain.hi ?? 0),
    stepNum: BigInt(stepNum),
    stepDen: BigInt(stepDen),
    unit: text(plain.unit ?? ""),
    members,
    max: TEXT_KINDS.includes(kind) ? whole(plain.max) : 0,
    optional: plain.optional ?? false,
    origin: oneOf(ORIGINS, plain.origin ?? "request"),
    rounding: oneOf(ROUNDINGS, plain.rounding ?? "exact"),
    implied: plain.implied === undefined ? null : BigInt(plain.implied),
    classes: whole(plain.classes ?? 0),
  };
  if (one.stepNum <= 0n || one.stepDen <= 0n || one.lo > one.hi) throw new RangeError(one.name);
  return one;
}

/* --- what a value must be --- */

function list(value = []) {
  if (!Array.isArray(value)) throw new TypeError("no list");
  return value;
}

function text(value) {
  if (typeof value !== "string") throw new TypeError("no text");
  return value;
}

function whole(value) {
  if (!Number.isSafeInteger(value)) throw new TypeError("no whole number");
  return value;
}

function oneOf(known, value) {
  if (!known.includes(value)) throw new RangeError(`no ${known.join(", ")}`);
  return value;
}

function there(value) {
  if (value === undefined) throw new RangeError("no such name");
  return value;
}
