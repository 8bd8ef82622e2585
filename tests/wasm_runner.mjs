// Runs modules for tests: a job a line on standard input, its answers a line on standard output.
//
// A job is {"module": base64, "steps": [STEP …]}, done in order on one instance. A STEP is
// ["set", global, "integer"], ["write", address, base64] or ["call", function, argument …]. A call answers with
// {"result": n, "out": {cell: "integer"}} (over time: with the state), anything else with null; what was thrown answers with {"trap": message}.
import { createInterface } from "node:readline";

const bytes = (text) => Buffer.from(text, "base64");

function cells(exports) {
  const found = {};
  for (const [name, one] of Object.entries(exports)) {
    if (/^(out|state|shared|clock)\./.test(name)) found[name] = String(one.value);
  }
  return found;
}

function take(exports, [kind, name, ...rest]) {
  if (kind === "set") {
    const global = exports[name];
    global.value = typeof global.value === "bigint" ? BigInt(rest[0]) : Number(rest[0]);
    return null;
  }
  if (kind === "write") {
    new Uint8Array(exports.memory.buffer).set(bytes(rest[0]), name);
    return null;
  }
  return { result: exports[name](...rest), out: cells(exports) };
}

function answer(exports, step) {
  try {
    return take(exports, step);
  } catch (error) {
    return { trap: String(error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { module, steps } = JSON.parse(line);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes(module)), {});
  console.log(JSON.stringify(steps.map((step) => answer(exports, step))));
}
