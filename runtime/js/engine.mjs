/* An instance of a policy's module: its variables by name, its functions.
 *
 * What always holds: a module whose exports are not those that its schema promises (docs/edge.md) is refused with a
 * ModuleError before it is asked; so is one that traps. Numbers go in and come out as BigInt.
 */

import { ModuleError, isText } from "./schema.mjs";

const TAKEN = ["decide", "commit", "memory", "text"];
const TAKEN_OVER_TIME = [...TAKEN, "tick", "state_ok", "next_deadline"];
const OPTIONAL = ["out.roles", "out.expires", "out.retry"]; // there if some rule has a use for them
const WORD = 32;
const encoder = new TextEncoder();

/** The name under which a field's variable is exported. */
export function exportName(schema, field) {
  return (schema.time === null ? TAKEN : TAKEN_OVER_TIME).includes(field) ? `field.${field}` : field;
}

/** The texts whose bytes the module wants to see. */
export function scanned(schema) {
  const compared = new Set(schema.same.flat());
  return schema.fields.filter((one) => one.classes > 0 || compared.has(one.name));
}

/** Every variable, in order, with its width. */
function* variables(schema) {
  for (const one of schema.fields) {
    if (one.optional) yield [`has.${one.name}`, 32];
    if (!isText(one)) yield [exportName(schema, one.name), widthOf(one)];
    for (let part = 0; part < one.classes; part += 1) yield [`class.${one.name}.${part}`, 32];
  }
  for (const pair of schema.same) yield [`same.${pair.join(".")}`, 32];
  for (const one of schema.params) yield [`param.${one.name}`, widthOf(one)];
  if (schema.time !== null) yield* overTime(schema.time);
}

/** The variables of samples and of the state. */
function* overTime(time) {
  yield ["clock.now", 64];
  for (const one of time.samples.flatMap((sample) => sample.fields)) if (!isText(one)) yield [one.variable, widthOf(one)];
  for (const scope of time.scopes) {
    yield [`clock.${scope}`, 64];
    for (const cell of time.cells) if (cell.scope === scope) yield [cell.name, widthOf(cell.field)];
  }
}

/** What a module over time exports beside `decide`. */
function functions(time) {
  return ["commit", "tick", ...time.samples.map((one) => one.function), "state_ok", "next_deadline"];
}

/** Every cell of the outcome with its width. */
function* cells(schema) {
  for (const name of ["decision", "rule", "invalid"]) yield [`out.${name}`, 32];
  yield* words("out.limited", schema.targets.length);
  for (const one of schema.targets) yield* [[`out.lo.${one.name}`, widthOf(one)], [`out.hi.${one.name}`, widthOf(one)]];
  yield* words("out.dos", schema.duties.length);
  for (const [number, one] of schema.duties.entries()) yield* computed(`out.do.${number}`, one.values);
  for (const name of OPTIONAL) yield [name, 64];
  yield* words("out.remedies", schema.remedies.length);
  for (const [number, one] of schema.remedies.entries()) yield* computed(`out.remedy.${number}`, one.values);
  if (schema.time !== null) yield ["out.deadline", 64];
}

function widthOf(one) {
  if (one.kind === "set") return one.members.length <= 31 ? 32 : 64;
  return one.lo >= -(2n ** 31n) && one.hi <= 2n ** 31n - 2n ? 32 : 64;
}

function* words(name, bits) {
  for (let word = 0; word * WORD < bits; word += 1) yield [`${name}.${word}`, WORD];
}

function* computed(prefix, values) {
  for (const one of values) if (isComputed(one)) yield [`${prefix}.${one.field.name}`, 64];
}

/** Whether the module works an argument out. */
export function isComputed(one) {
  return one.text === null && one.source === null && one.value === null;
}

export class Engine {
  #exports;
  #widths = new Map();

  /** A compiled module that runs; throws a ModuleError if it is not what its schema says. */
  static async start(module, schema) {
    try {
      return new Engine(module, await WebAssembly.instantiate(module, {}), schema);
    } catch (cause) {
      if (cause instanceof ModuleError) throw cause;
      throw new ModuleError(`the module cannot run: ${cause.message}`, { cause });
    }
  }

  constructor(module, instance, schema) {
    this.#exports = instance.exports;
    for (const { name, kind } of WebAssembly.Module.exports(module)) {
      if (kind === "global") this.#widths.set(name, widthOfGlobal(this.#exports[name]));
    }
    const texts = scanned(schema);
    this.#checkGlobals(schema, texts);
    this.#checkFunctions(schema, texts);
    this.variables = [...variables(schema)].map(([name]) => name);
  }

  /** Set a variable; a mask is given as its pattern of bits. */
  write(name, value) {
    const width = this.#widths.get(name);
    const signed = BigInt.asIntN(width, value);
    this.#exports[name].value = width === 64 ? signed : Number(signed);
  }

  /** A variable or a cell of the outcome; −1, which stands for none, where the policy has no use for it. */
  read(name) {
    return this.#widths.has(name) ? BigInt(this.#exports[name].value) : -1n;
  }

  /** Take a text in: 0, or −1 if it is not valid. */
  classify(field, text) {
    const at = this.#exports.text.value;
    const bytes = encoder.encode(text);
    new Uint8Array(this.#exports.memory.buffer).set(bytes, at);
    return this.#call(`classify.${field}`, at, bytes.length);
  }

  /** What a function without arguments answers: 0, or −1 for an invalid request (docs/edge.md has more). */
  run(name) {
    return this.#call(name);
  }

  #call(name, ...given) {
    try {
      return this.#exports[name](...given);
    } catch (cause) {
      throw new ModuleError(`the function \`${name}\` failed: ${cause.message}`, { cause });
    }
  }

  /** Every global has its use, and the variables stand in the order that `out.invalid` counts by. */
  #checkGlobals(schema, texts) {
    const [left, ordered] = [new Map(this.#widths), this.#widths.keys()];
    const take = (name, width) => {
      if (left.get(name) !== width) throw new ModuleError(`the module exports no i${width} \`${name}\``);
      left.delete(name);
    };
    for (const [name, width] of variables(schema)) {
      if (ordered.next().value !== name) throw new ModuleError(`the export \`${name}\` is not in its place`);
      take(name, width);
    }
    for (const [name, width] of cells(schema)) {
      if (left.has(name) || !OPTIONAL.includes(name)) take(name, width);
    }
    if (texts.length > 0) take("text", 32);
    for (const name of left.keys()) throw new ModuleError(`the schema does not speak of the export \`${name}\``);
    for (const name of this.#widths.keys()) if (name !== "text") this.#checkMutable(name);
  }

  /** A variable can be set, and to whole numbers only: no float passes for an i32. */
  #checkMutable(name) {
    const one = this.#exports[name];
    const before = one.value;
    try {
      one.value = typeof before === "bigint" ? before : 0.5;
      if (one.value === 0.5) throw new TypeError("it is a float");
      one.value = before;
    } catch (cause) {
      throw new ModuleError(`the export \`${name}\` cannot be written: ${cause.message}`, { cause });
    }
  }

  #checkFunctions(schema, texts) {
    const remembering = schema.time === null ? [] : functions(schema.time);
    for (const name of ["decide", ...remembering, ...texts.map((one) => `classify.${one.name}`)]) {
      if (typeof this.#exports[name] !== "function") throw new ModuleError(`the module has no function \`${name}\``);
    }
    const longest = Math.max(0, ...texts.map((one) => one.max));
    const room = texts.length === 0 ? 0 : (this.#exports.memory?.buffer?.byteLength ?? -1) - this.#exports.text.value;
    if (room < longest || (texts.length > 0 && this.#exports.text.value < 0)) {
      throw new ModuleError("the memory has no room for the longest text");
    }
  }
}

function widthOfGlobal(one) {
  return { number: 32, bigint: 64 }[typeof one.value];
}
