/* The obligations that an answer of a module means, in the order `do`, `limit`, `require`, `retry_ms`, `remedy`.
 *
 * Numbers are in the unit of their field: a number where a double holds it, a BigInt for whole numbers beyond 2⁵³.
 */

import { isComputed } from "./engine.mjs";
import { quotient } from "./numbers.mjs";
import { ModuleError } from "./schema.mjs";

const REQUIRE_HUMAN = 3;
const DENY = 4;
const WORD = 32;
const NONE = -1n;

/** Every obligation of an outcome with this effect; `read` gives a cell by name, `texts` those of the request. */
export function gather(schema, read, texts, effect) {
  const kept = [...duties(schema, read, texts)];
  if (effect !== DENY) {
    kept.push(...limits(schema, read));
    if (effect === REQUIRE_HUMAN) kept.push(requirement(schema, read));
    const retry = read("out.retry");
    if (retry !== NONE) kept.push({ retry_ms: plain(retry) });
  }
  kept.push(...remedies(schema, read, texts));
  return distinct(kept);
}

function has(read, mask, bit) {
  return ((read(`out.${mask}.${Math.floor(bit / WORD)}`) >> BigInt(bit % WORD)) & 1n) === 1n;
}

/** One obligation for each action and its arguments; of several times the longest, and without end before any. */
function duties(schema, read, texts) {
  const found = new Map();
  schema.duties.forEach((duty, number) => {
    if (!has(read, "dos", number)) return;
    const args = valuesOf(`out.do.${number}`, duty.values, read, texts);
    const one = duty.values.length > 0 ? { do: duty.action, args } : { do: duty.action };
    const [known, times] = found.get(keyOf(one)) ?? [one, []];
    found.set(keyOf(one), [known, [...times, duty.forMs]]);
  });
  return [...found.values()].map(([one, times]) => {
    const longest = times.reduce((a, b) => (a === null || b === null ? null : a > b ? a : b));
    return longest === null ? one : { ...one, for_ms: plain(longest) };
  });
}

function* limits(schema, read) {
  for (const [number, target] of schema.targets.entries()) {
    if (!has(read, "limited", number)) continue;
    const [lo, hi] = [read(`out.lo.${target.name}`), read(`out.hi.${target.name}`)];
    const start = lo === target.lo ? {} : { from: inUnit(lo, target) };
    yield { limit: target.name, ...start, to: inUnit(hi, target) };
  }
}

function requirement(schema, read) {
  const [named, expires] = [read("out.roles"), read("out.expires")];
  const require = schema.roles.filter((_, i) => (named >> BigInt(i)) & 1n);
  return expires === NONE ? { require } : { require, expires_ms: plain(expires) };
}

function* remedies(schema, read, texts) {
  for (const [number, { text, values }] of schema.remedies.entries()) {
    if (!has(read, "remedies", number)) continue;
    const given = valuesOf(`out.remedy.${number}`, values, read, texts);
    yield values.length > 0 ? { remedy: text, with: given } : { remedy: text };
  }
}

function valuesOf(prefix, values, read, texts) {
  return Object.fromEntries(values.map((one) => [one.field.name, valueOf(prefix, one, read, texts)]));
}

function valueOf(prefix, one, read, texts) {
  if (one.text !== null) return one.text;
  if (one.source !== null) return texts.get(one.source) ?? "";
  const value = isComputed(one) ? read(`${prefix}.${one.field.name}`) : one.value;
  switch (one.field.kind) {
    case "enum":
      if (one.field.members[value] !== undefined) return one.field.members[value];
      throw new ModuleError(`the outcome has no member ${value} of \`${one.field.name}\``);
    case "bool":
      return value !== 0n;
    case "set":
      return one.field.members.filter((_, i) => (value >> BigInt(i)) & 1n);
    default:
      return inUnit(value, one.field);
  }
}

function inUnit(steps, field) {
  const top = steps * field.stepNum;
  return top % field.stepDen === 0n ? plain(top / field.stepDen) : quotient(top, field.stepDen);
}

/** A whole number as a number where a double holds it, else as a BigInt. */
export function plain(value) {
  const safe = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
  return safe ? Number(value) : value;
}

function keyOf(one) {
  return JSON.stringify(one, (_, value) => (typeof value === "bigint" ? `${value}n` : value));
}

function distinct(kept) {
  return [...new Map(kept.map((one) => [keyOf(one), one])).values()];
}
