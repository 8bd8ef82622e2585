/* Decides with a policy that `gov build` compiled to WebAssembly: in Node (18 and later) and in browsers.
 *
 * In: the bytes of `policy.wasm`; then requests as plain objects. Out: outcomes as plain objects.
 * What always holds: an invalid request is an outcome (deny by `invalid_request`), never an exception; what the
 * module is given was read by the one written rule (`request.mjs`), and the module checks it again.
 */

import { clockOf } from "./clock.mjs";
import { Engine, exportName, scanned } from "./engine.mjs";
import { gather, plain } from "./outcome.mjs";
import { InvalidField, readRequest, readValue } from "./request.mjs";
import { ModuleError, isText, readSchema } from "./schema.mjs";
import { ANSWER, DEADLINE, NOW, StateError, UNKNOWN, checkOwner, isTime, noRoom, readStep, restored, save } from "./time.mjs";

export { ModuleError } from "./schema.mjs";
export { StateError } from "./time.mjs";

const NO_OPTIONS = "the options must be an object";
const DECISIONS = ["allow", "limit", "throttle", "require_human", "deny"];

/** A policy with an instance of its module; one decision at a time, as JavaScript runs. */
export class Policy {
  #engine;
  #clock;
  #scanned;
  #key;

  /** Use `Policy.load`. */
  constructor(engine, schema, key = null) {
    this.schema = schema;
    this.#key = key;
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
   * unknown or out of range. `key` is whose state a policy over time keeps; without it, that of the first sample.
   */
  static async load(source, { params = {}, key = null } = {}) {
    const module = source instanceof WebAssembly.Module ? source : await compiled(source);
    const schema = readSchema(module);
    const policy = new Policy(await Engine.start(module, schema), schema, key);
    for (const [name, raw] of Object.entries(params)) policy.#setParam(name, raw);
    return policy;
  }

  /** The outcome of a request, a question; `runtime` is the host's part of it, `nowMs` the time since 1970 in ms (UTC).
   *
   * A policy over time is asked by the clock of this machine where `nowMs` is not given.
   */
  decide(request, options) {
    return this.#asked("decide", request, options);
  }

  /** The outcome of a request that is carried out if it may; a policy over time remembers it. */
  commit(request, options) {
    return this.#asked("commit", request, options);
  }

  #asked(name, request, options = {}) {
    if (!isObject(options)) return this.#refused(NO_OPTIONS);
    const { runtime, nowMs = null } = options;
    const { time, timeZone } = this.schema;
    const now = time !== null && nowMs === null ? Date.now() : nowMs;
    let values;
    try {
      const wrong = misgiven(request, runtime, timeZone === null && time === null ? null : now);
      if (wrong !== null) return this.#refused(wrong);
      const clock = now === null ? {} : this.#clock(now);
      values = readRequest(this.schema.fields, request, { ...clock, ...runtime });
    } catch (error) {
      if (error instanceof InvalidField) return this.#refused(this.#unreadable(error));
      return this.#refused("cannot be read"); // a getter or a proxy of the caller's threw
    }
    return time === null ? this.#decided("decide", values) : this.#decidedOverTime(name, values, now);
  }

  /* --- over time --- */

  #decidedOverTime(name, values, now) {
    if (!isTime(now)) return this.#refused("`nowMs` lies beyond what can be counted");
    const key = this.schema.time.key === null ? null : values.get(this.schema.time.key);
    if (this.#isOther(key)) return this.#closed("state_full", "there is no room to remember another key");
    this.#engine.write(NOW, BigInt(now));
    const outcome = this.#decided(name, values);
    if (name !== "commit" || outcome.rule_id === "invalid_request") return outcome;
    this.#key = key ?? this.#key;
    return { ...outcome, next_deadline_ms: this.#deadline() };
  }

  /** Take in a step of a trace that is no request (an event, a signal, a tick); without `at_ms` it is of now.
   *
   * Gives the next time at which something can change without a sample, null for never; throws a StateError.
   */
  observe(step) {
    const { time } = this.schema;
    if (time === null) throw new StateError("GOV415", "the policy remembers nothing");
    const read = readStep(time, this.schema.fields, step);
    const named = read.function.replace(/^(event|signal)\./, "");
    if (this.#isOther(read.key)) throw noRoom(`\`${named}\``);
    for (const [name, value] of read.variables) this.#engine.write(name, value);
    this.#engine.write(NOW, read.atMs ?? BigInt(Date.now()));
    const answer = this.#engine.run(read.function);
    if (answer === ANSWER.uncalled) throw new StateError("GOV417", `\`${named}\` comes after nothing that calls for it`);
    if (answer !== ANSWER.taken) {
      throw new StateError("GOV415", `the step cannot be taken in: ${this.#why(Number(this.#engine.read("out.invalid")))}`);
    }
    this.#key = read.key ?? this.#key;
    return this.#deadline();
  }

  /** What the module remembers, as bytes that the C of the policy reads too (docs/edge.md). */
  save(options = {}) {
    const { nowMs = Date.now() } = stateOptions(options);
    const { time } = this.schema;
    return time === null ? new Uint8Array(0) : save(time, (name) => this.#engine.read(name), nowMs);
  }

  /** Go on from what `save` gave; `downtimeMs` is how long ago that was, null where nobody knows.
   *
   * `key` is whose state it is, which the bytes do not say; from now on the module is that key's. It must be given where
   * the policy has a key. Throws a StateError if the module keeps another key's state, or if it is the state of another
   * policy or does not add up; nothing has changed then.
   */
  restore(bytes, options = {}) {
    const { key = null, downtimeMs = null, nowMs = Date.now() } = stateOptions(options);
    const { time, fields } = this.schema;
    if (time === null) return;
    checkOwner(time, fields, key);
    if (this.#isOther(key)) throw noRoom("the saved state");
    const found = restored(time, bytes, nowMs, downtimeMs);
    for (const [name, value] of found) this.#engine.write(name, value);
    this.#key = key;
  }

  /** Whether a sample is about another key than that whose state the module keeps. */
  #isOther(key) {
    return key !== null && this.#key !== null && key !== this.#key;
  }

  #deadline() {
    if (this.#engine.run("next_deadline") !== ANSWER.taken) throw new ModuleError("the module refuses its own state");
    const found = this.#engine.read(DEADLINE);
    return found === UNKNOWN ? null : plain(found);
  }

  /* --- requests --- */

  #unreadable(error) {
    const byClock = this.schema.fields.some((one) => one.origin === "clock" && one.name === error.field);
    const hint = byClock && error.why === "is missing" ? " (the host gave no usable `nowMs`)" : "";
    return `${error.message}${hint}`;
  }

  #decided(name, values) {
    for (const [variable, value] of this.#variables(values)) this.#engine.write(variable, value);
    for (const { name: text } of this.#scanned) {
      if (!values.has(text)) continue;
      if (this.#engine.classify(text, values.get(text)) !== 0) return this.#refused(`\`${text}\` is not valid`);
    }
    if (this.#engine.run(name) !== ANSWER.taken) return this.#refused(this.#why(Number(this.#engine.read("out.invalid"))));
    return this.#answered(values);
  }

  /** The variables that a request sets, those of absent fields among them; texts set their own. */
  *#variables(values) {
    for (const one of this.schema.fields) {
      if (one.optional) yield [`has.${one.name}`, values.has(one.name) ? 1n : 0n];
      if (!isText(one)) yield [exportName(this.schema, one.name), values.get(one.name) ?? one.lo];
    }
  }

  #answered(values) {
    const [effect, number] = ["out.decision", "out.rule"].map((name) => Number(this.#engine.read(name)));
    const { rules, time } = this.schema;
    if (time !== null && number === rules.length + 2) return this.#closed("clock_fault", "the clock went back");
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
    return this.#closed("invalid_request", reason);
  }

  #closed(rule_id, reason) {
    return { decision: "deny", rule_id, reason, obligations: [], policy_snapshot: this.schema.snapshot };
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

/** What a host gives with a state. */
function stateOptions(options) {
  if (!isObject(options)) throw new StateError("GOV419", NO_OPTIONS);
  return options;
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
