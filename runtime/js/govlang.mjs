/* Decides with a policy that `gov build` compiled to WebAssembly: in Node (18 and later) and in browsers.
 *
 * In: the bytes of `policy.wasm`; then requests as plain objects. Out: outcomes as plain objects.
 * What always holds: an invalid request is an outcome (deny by `invalid_request`), never an exception; what the
 * module is given was read by the one written rule (`request.mjs`), and the module checks it again.
 */

import { clockOf } from "./clock.mjs";
import { Engine, exportName, scanned } from "./engine.mjs";
import { gather } from "./outcome.mjs";
import { InvalidField, readRequest, readValue } from "./request.mjs";
import { ModuleError, isText, readSchema } from "./schema.mjs";

export { ModuleError } from "./schema.mjs";

const DECISIONS = ["allow", "limit", "throttle", "require_human", "deny"];

/** A policy with an instance of its module; one decision at a time, as JavaScript runs. */
export class Policy {
  #engine;
  #clock;
  #scanned;

  /** Use `Policy.load`. */
  constructor(engine, schema) {
    this.schema = schema;
    this.#engine = engine;
    this.#scanned = scanned(schema);
    try {
      this.#clock = clockOf(schema);
    } catch (cause) {
      throw new ModuleError(`gov.schema names the time zone \`${schema.timeZone}\``, { cause });
    }
  }

  /** The policy in the bytes of a module, or in a module that is compiled already.
   *
   * Rejects with a ModuleError if it is no module that `gov build` writes, with a RangeError for a parameter that is
   * unknown or out of range.
   */
  static async load(source, { params = {} } = {}) {
    const module = source instanceof WebAssembly.Module ? source : await compiled(source);
    const schema = readSchema(module);
    const policy = new Policy(await Engine.start(module, schema), schema);
    for (const [name, raw] of Object.entries(params)) policy.#setParam(name, raw);
    return policy;
  }

  /** The outcome of a request; `runtime` is the host's part of it, `nowMs` the time since 1970 in ms (UTC). */
  decide(request, { runtime, nowMs = null } = {}) {
    let values;
    try {
      const wrong = misgiven(request, runtime, this.schema.timeZone === null ? null : nowMs);
      if (wrong !== null) return this.#refused(wrong);
      const clock = nowMs === null ? {} : this.#clock(nowMs);
      values = readRequest(this.schema.fields, request, { ...clock, ...runtime });
    } catch (error) {
      if (error instanceof InvalidField) return this.#refused(this.#unreadable(error));
      return this.#refused("cannot be read"); // a getter or a proxy of the caller's threw
    }
    return this.#decided(values);
  }

  #unreadable(error) {
    const byClock = this.schema.fields.some((one) => one.origin === "clock" && one.name === error.field);
    const hint = byClock && error.why === "is missing" ? " (the host gave no usable `nowMs`)" : "";
    return `${error.message}${hint}`;
  }

  #decided(values) {
    for (const [name, value] of this.#variables(values)) this.#engine.write(name, value);
    for (const { name } of this.#scanned) {
      if (!values.has(name)) continue;
      if (this.#engine.classify(name, values.get(name)) !== 0) return this.#refused(`\`${name}\` is not valid`);
    }
    if (this.#engine.decide() !== 0) return this.#refused(this.#why(Number(this.#engine.read("out.invalid"))));
    return this.#answered(values);
  }

  /** The variables that a request sets, those of absent fields among them; texts set their own. */
  *#variables(values) {
    for (const one of this.schema.fields) {
      if (one.optional) yield [`has.${one.name}`, values.has(one.name) ? 1n : 0n];
      if (!isText(one)) yield [exportName(one.name), values.get(one.name) ?? one.lo];
    }
  }

  #answered(values) {
    const [effect, number] = ["out.decision", "out.rule"].map((name) => Number(this.#engine.read(name)));
    const { rules } = this.schema;
    const rule = number === rules.length ? ["default", ""] : rules[number];
    if (DECISIONS[effect] === undefined || rule === undefined) {
      throw new ModuleError(`the module gave decision ${effect} by rule ${number}`);
    }
    return {
      decision: DECISIONS[effect],
      rule_id: rule[0],
      reason: rule[1],
      obligations: gather(this.schema, (name) => this.#engine.read(name), values, effect),
      policy_snapshot: this.schema.snapshot,
    };
  }

  /** What the module found: the variable of this number, or an assumption behind them. */
  #why(number) {
    const { variables } = this.#engine;
    if (variables[number] !== undefined) return `\`${variables[number]}\` is not valid`;
    const broken = this.schema.assumptions[number - variables.length];
    return broken === undefined ? "cannot be read" : `breaks the assumption \`${broken}\``;
  }

  #refused(reason) {
    const policy_snapshot = this.schema.snapshot;
    return { decision: "deny", rule_id: "invalid_request", reason, obligations: [], policy_snapshot };
  }

  #setParam(name, raw) {
    const one = this.schema.params.find((param) => param.name === name);
    if (one === undefined) {
      const names = this.schema.params.map((param) => param.name).join(", ") || "none";
      throw new RangeError(`\`${name}\` is no parameter; the parameters: ${names}`);
    }
    try {
      this.#engine.write(`param.${name}`, readValue(one, raw));
    } catch (error) {
      if (error instanceof InvalidField) throw new RangeError(`the parameter ${error.message}`);
      throw error;
    }
  }
}

async function compiled(bytes) {
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw new ModuleError(`these bytes are no WebAssembly module: ${cause.message}`, { cause });
  }
}

/** What is wrong with what a host gives, before a field of it is read; null if nothing is. */
function misgiven(request, runtime, nowMs) {
  if (!isObject(request)) return "the request must be an object";
  if (!isObject(runtime ?? {})) return "the host's part must be an object";
  if (nowMs !== null && typeof nowMs !== "bigint" && !Number.isInteger(nowMs)) {
    return "`nowMs` must be a whole number of milliseconds since 1970";
  }
  return null;
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
