/* What a decision and its obligations mean, in words. */

export const DECISIONS = {
  allow: "allow", limit: "limit", throttle: "throttle", require_human: "ask a person", deny: "deny",
};

/** One obligation as a sentence; `units` are those of the fields that limits name. */
export function sentence(one, units) {
  if ("limit" in one) return limit(one, units.get(one.limit) ?? "");
  if ("require" in one) return `ask ${one.require.join(" and ")}${lasting(", within", one.expires_ms)}`;
  if ("retry_ms" in one) return `ask again in ${time(one.retry_ms)}`;
  if ("remedy" in one) return `${one.remedy}${given(one.with)}`;
  return `${one.do}${given(one.args)}${lasting(" for", one.for_ms)}`;
}

function lasting(word, ms) {
  return ms === undefined ? "" : `${word} ${time(ms)}`;
}

function limit({ limit, from, to }, unit) {
  return `${limit} ${from === undefined ? "at most" : `from ${from} to`} ${to}${unit && ` ${unit}`}`;
}

function given(values = {}) {
  const told = Object.entries(values).map(([name, value]) => `${name} ${value}`);
  return told.length > 0 ? ` (${told.join(", ")})` : "";
}

function time(ms) {
  const seconds = Number(ms) / 1000;
  return seconds % 60 === 0 && seconds > 0 ? `${seconds / 60} min` : `${seconds} s`;
}

/** JSON with BigInts as the whole numbers that they are. */
export function jsonText(value) {
  const text = JSON.stringify(value, (_, one) => (typeof one === "bigint" ? `${one}#` : one), 2);
  return text.replaceAll(/"(-?\d+)#"/g, "$1");
}
