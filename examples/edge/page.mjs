/* The page: a control for every field of a policy; each change is decided at once by its module.
 *
 * A file that is no module of a policy is answered with a sentence, and the policy before it stays.
 */

import { Policy } from "../../runtime/js/govlang.mjs";
import { controlOf, element } from "./controls.mjs";
import { DECISIONS, jsonText, sentence } from "./sentences.mjs";

const ORIGINS = { request: "Request", runtime: "From the host", param: "Parameters of the deployment" };
const byId = (id) => document.getElementById(id);
const tone = (decision) => `var(--${decision})`;

let opened = null;

/** A policy with the controls of its fields. */
async function open(bytes, name) {
  const module = await WebAssembly.compile(bytes).catch(() => bytes); // `load` says better what is wrong
  const policy = await Policy.load(module);
  opened = { module, policy, rows: rowsOf(policy.schema), loads: 0, frame: 0 };
  showPolicy(policy.schema, bytes.byteLength, name);
  decide();
}

function rowsOf({ fields, params }) {
  const shown = [
    ...fields.filter((one) => one.origin !== "clock").map((field) => ({ field, origin: field.origin })),
    ...params.map((field) => ({ field, origin: "param" })),
  ];
  return shown.map(({ field, origin }) => rowOf(field, origin));
}

function rowOf(field, origin) {
  const id = `${origin === "param" ? "param" : "in"}-${field.name}`;
  const control = controlOf(field, id);
  const label = element("label", { htmlFor: id, textContent: field.name });
  const given = element("input", { type: "checkbox", checked: true });
  if (field.optional) label.append(element("span", { className: "given" }, given, " given"));
  const row = element("div", { className: control.beside ? "field" : "field wide" }, label, control.element);
  if (control.beside) row.append(control.beside);
  row.addEventListener("input", () => {
    row.classList.toggle("absent", !given.checked);
    if (origin === "param") reload();
    else decide();
  });
  return { field, origin, control, row, isGiven: () => given.checked };
}

function showPolicy(schema, size, name) {
  const groups = Object.entries(ORIGINS).map(([origin, title]) => {
    const rows = opened.rows.filter((one) => one.origin === origin).map((one) => one.row);
    return rows.length > 0 ? [element("section", {}, element("h2", { textContent: title }), ...rows)] : [];
  });
  byId("fields").replaceChildren(...groups.flat());
  byId("name").textContent = `${schema.policy} ${schema.version}`;
  document.title = byId("name").textContent;
  const facts = [
    `${name}: ${size.toLocaleString("en")} bytes of WebAssembly`,
    `${schema.rules.length} rules`,
    `${schema.snapshot.slice(0, 15)}…`,
  ];
  if (schema.fields.some((one) => one.origin === "clock")) facts.push(`the clock in ${schema.timeZone}`);
  byId("about").textContent = facts.join(" · ");
}

/** A parameter is given when a policy is loaded: load it again. */
async function reload() {
  const { module, rows } = opened;
  opened.loads += 1;
  const mine = opened.loads;
  const given = rows.filter((one) => one.origin === "param");
  const params = Object.fromEntries(given.map(({ field, control }) => [field.name, control.read()]));
  try {
    const policy = await Policy.load(module, { params });
    if (opened.module !== module || opened.loads !== mine) return;
    opened.policy = policy;
    tellFault("");
    decide();
  } catch (error) {
    tellFault(error.message);
  }
}

/* --- decisions --- */

function asked() {
  const parts = { request: {}, runtime: {}, param: {} };
  for (const one of opened.rows) if (one.isGiven()) parts[one.origin][one.field.name] = one.control.read();
  return parts;
}

function answer({ request, runtime }) {
  return opened.policy.decide(request, { runtime, nowMs: Date.now() });
}

function decide() {
  const given = asked();
  show(given, answer(given));
  cancelAnimationFrame(opened.frame);
  opened.frame = requestAnimationFrame(() => colour(given));
}

/** What every other setting of a control would lead to. */
function colour(given) {
  for (const { field, origin, control } of opened.rows) {
    if (control.points === undefined || origin === "param") continue;
    const with_ = (value) => ({ ...given, [origin]: { ...given[origin], [field.name]: value } });
    control.colour(control.points().map((value) => tone(answer(with_(value)).decision)));
  }
}

function show({ request, runtime }, outcome) {
  const box = byId("outcome");
  box.style.setProperty("--tone", tone(outcome.decision));
  box.dataset.decision = outcome.decision;
  byId("decision").textContent = DECISIONS[outcome.decision];
  byId("rule").textContent = outcome.rule_id;
  byId("reason").textContent = outcome.reason;
  const units = new Map(opened.policy.schema.targets.map((one) => [one.name, one.unit]));
  const said = outcome.obligations.map((one) => element("li", { textContent: sentence(one, units) }));
  byId("obligations").replaceChildren(...said);
  byId("json").textContent = jsonText({ request, runtime, outcome });
}

/* --- where policies come from --- */

function tellFault(message) {
  byId("fault").textContent = message;
  byId("fault").hidden = message === "";
}

async function tryToOpen(name, bytes) {
  try {
    await open(await bytes(), name);
    tellFault("");
  } catch (error) {
    tellFault(`${name} cannot be used: ${error.message}${opened ? `; ${opened.policy.schema.policy} stays` : ""}`);
    if (opened === null) byId("about").textContent = "No policy is loaded.";
  }
}

async function fetched(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error("it is not there; run `make edge-page`, or open a file");
  return answer.arrayBuffer();
}

byId("legend").append(
  ...Object.entries(DECISIONS).map(([name, text]) => {
    const one = element("span", { textContent: text });
    one.style.setProperty("--tone", tone(name));
    return one;
  }),
);
byId("file").addEventListener("change", async ({ target }) => {
  const [file] = target.files;
  if (file !== undefined) await tryToOpen(file.name, () => file.arrayBuffer());
  target.value = "";
});
const path = new URLSearchParams(location.search).get("policy") ?? "drone_fleet.wasm";
await tryToOpen(path, () => fetched(path));
