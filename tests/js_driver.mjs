// Asks the JavaScript host for tests: a job a line on standard input, its answer a line on standard output.
//
// A job is {"decide": [case …], "module": base64, "params": {…}}, where a case is {"request", "runtime", "nowMs"},
// {"load": base64, "request", "runtime"}, {"read": [[field, value] …], "module": base64}, {"clock": [nowMs …], "module":
// base64} or {"divide": [[top, bottom] …]}.
// {"$": "n12"} stands for a BigInt, {"$": "d" and 16 hexadecimal digits} for a double, {"$": "u"} for undefined,
// {"$": "s", "of": […]} for a Set, {"$": "g"} for an object whose every property throws. In answers a BigInt is printed as JSON prints whole numbers.
import { createInterface } from "node:readline";

import { clockOf } from "../runtime/js/clock.mjs";
import { ModuleError, Policy, StateError } from "../runtime/js/govlang.mjs";
import { quotient } from "../runtime/js/numbers.mjs";
import { InvalidField, readValue } from "../runtime/js/request.mjs";
import { readSchema } from "../runtime/js/schema.mjs";

const bytes = (text) => Buffer.from(text, "base64");

const throwing = new Proxy({}, { get: refuse, has: refuse, getOwnPropertyDescriptor: refuse, ownKeys: refuse });

function refuse() {
  throw new RangeError("no");
}

function decoded(key, value) {
  const tag = value?.$;
  if (tag === undefined) return value;
  if (tag === "u") return undefined;
  if (tag === "s") return new Set(value.of);
  if (tag === "g") return throwing;
  return tag.startsWith("n") ? BigInt(tag.slice(1)) : Buffer.from(tag.slice(1), "hex").readDoubleBE();
}

function encoded(answer) {
  const text = JSON.stringify(answer, (_, value) => (typeof value === "bigint" ? `${value}#` : value));
  return text.replaceAll(/"(-?\d+)#"/g, "$1");
}

async function decisions({ decide, module, params }) {
  const policy = await Policy.load(bytes(module), { params });
  return decide.map(({ request, ...options }) => policy.decide(request, options));
}

async function loaded({ load, request = {}, runtime = {} }) {
  try {
    const policy = await Policy.load(bytes(load));
    return { decision: policy.decide(request, { runtime }).decision };
  } catch (error) {
    return { isModuleError: error instanceof ModuleError, message: error.message };
  }
}

function readings({ read, module }) {
  const { fields } = readSchema(new WebAssembly.Module(bytes(module)));
  return read.map(([field, raw]) => {
    try {
      return { value: readValue(fields[field], raw) };
    } catch (error) {
      if (error instanceof InvalidField) return { field: error.field, why: error.why };
      throw error;
    }
  });
}

// {"trace": [STEP …], "module"}: a STEP is {"commit" or "decide": request, "nowMs"}, {"observe": step}, {"save": nowMs}
// or {"restore": base64, "nowMs", "downtimeMs", "of": key}.
async function traced({ trace, module, params = {}, key = null }) {
  const policy = await Policy.load(bytes(module), { params, key });
  return trace.map((step) => {
    try {
      return tracedStep(policy, step);
    } catch (error) {
      if (error instanceof StateError) return { code: error.code, message: error.message };
      throw error;
    }
  });
}

function tracedStep(policy, step) {
  const { nowMs, downtimeMs, of: key } = step;
  if ("commit" in step) return policy.commit(step.commit, { nowMs });
  if ("decide" in step) return policy.decide(step.decide, { nowMs });
  if ("observe" in step) return policy.observe(step.observe);
  if ("save" in step) return Buffer.from(policy.save({ nowMs: step.save })).toString("base64");
  return policy.restore(new Uint8Array(bytes(step.restore)), { key, nowMs, downtimeMs }) ?? null;
}

function times({ clock, module }) {
  const fields = clockOf(readSchema(new WebAssembly.Module(bytes(module))));
  return clock.map((nowMs) => fields(nowMs));
}

function answer(job) {
  if ("trace" in job) return traced(job);
  if ("decide" in job) return decisions(job);
  if ("load" in job) return loaded(job);
  if ("divide" in job) return job.divide.map(([top, bottom]) => quotient(BigInt(top), BigInt(bottom)));
  return "read" in job ? readings(job) : times(job);
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(encoded(await answer(JSON.parse(line, decoded))));
}
