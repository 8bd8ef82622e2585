/* Decides the same requests with govlang's host and with cedar-wasm in this process; prints times and rules as JSON. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";
import { Policy } from "../../runtime/js/govlang.mjs";

const require = createRequire(import.meta.url);
const cedar = require("@cedar-policy/cedar-wasm/nodejs");
const given = JSON.parse(readFileSync(0, "utf8"));
const ROUNDS = 9;

/** The median over the rounds of nanoseconds a call, and what the calls gave. */
function timed(decide, requests) {
  const times = [];
  let decisions = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    decisions = requests.map(decide);
    times.push(((performance.now() - start) * 1e6) / requests.length);
  }
  times.sort((a, b) => a - b);
  return { ns: times[(ROUNDS - 1) / 2], decisions };
}

const policy = await Policy.load(Buffer.from(given.module, "hex"));
const numbers = new Map(given.rules.map((name, at) => [name, at]));
const ours = timed((request) => numbers.get(policy.decide(request).rule_id) ?? -1, given.requests);

const parsed = cedar.preparsePolicySet("drone_check", { staticPolicies: given.policies });
if (parsed.type !== "success") throw new Error(JSON.stringify(parsed));
const calls = given.requests.map((context) => ({
  principal: { type: "Agent", id: "any" },
  action: { type: "Action", id: "any" },
  resource: { type: "Resource", id: "any" },
  context,
  preparsedPolicySetId: "drone_check",
  entities: [],
}));
const theirs = timed((call) => {
  const { reason } = cedar.statefulIsAuthorized(call).response.diagnostics;
  return reason.length === 0 ? -1 : Math.min(...reason.map((id) => Number(id.slice(1))));
}, calls);

const wasm = readFileSync(require.resolve("@cedar-policy/cedar-wasm/nodejs").replace("cedar_wasm.js", "cedar_wasm_bg.wasm"));
console.log(JSON.stringify({ govlang: ours, cedar: { ...theirs, bytes: wasm.length, version: cedar.getCedarSDKVersion() } }));
