/* A control for a field of a policy: what a person sets, as a value of a request.
 *
 * A control has an `element`; `read()`, its value; and `points()`, values along it, with a way to colour each.
 */

const STRIP = 60; // points that a strip looks at

/** The control of a field; `id` is that of its element. */
export function controlOf(field, id) {
  switch (field.kind) {
    case "enum":
      return choice(field, id);
    case "set":
      return choices(field, id);
    case "bool":
      return yesOrNo(id);
    case "number":
    case "time":
    case "duration":
      return slider(field, id);
    default:
      return line(field, id);
  }
}

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** `steps` of a field in its unit: a BigInt where a number would lose digits. */
function inUnit(field, steps) {
  const top = steps * field.stepNum;
  if (top % field.stepDen !== 0n) return Number(top) / Number(field.stepDen);
  const whole = top / field.stepDen;
  return Number.isSafeInteger(Number(whole)) ? Number(whole) : whole;
}

function unitOf(field) {
  return field.unit || (field.kind === "number" ? "" : "ms");
}

function slider(field, id) {
  const count = field.hi - field.lo;
  const notches = count < 2n ** 53n ? count : 2n ** 53n;
  const valueAt = (notch) => inUnit(field, field.lo + (count * notch) / (notches || 1n));
  const range = element("input", { type: "range", id, min: 0, max: Number(notches), step: 1 });
  const amount = element("input", { type: "number", step: "any", ariaLabel: `${field.name}, exactly` });
  const strip = element("div", { className: "strip" });
  const notchOf = (value) => {
    const steps = (Number(value) * Number(field.stepDen)) / Number(field.stepNum);
    return ((steps - Number(field.lo)) / (Number(count) || 1)) * Number(notches);
  };
  const setTo = (value) => {
    amount.value = String(value);
    range.value = String(Math.round(notchOf(value)));
  };
  setTo(field.kind === "time" ? Date.now() : inUnit(field, field.default ?? field.lo + count / 2n));
  range.addEventListener("input", () => (amount.value = String(valueAt(BigInt(range.value)))));
  amount.addEventListener("input", () => amount.value !== "" && setTo(amount.value));
  const points = () => Array.from({ length: STRIP }, (_, i) => valueAt((notches * BigInt(i)) / BigInt(STRIP - 1)));
  return {
    element: element("div", { className: "control" }, range, strip),
    beside: element("div", { className: "amount" }, amount, element("span", { textContent: unitOf(field) })),
    read: () => (/^-?\d+$/.test(amount.value) ? BigInt(amount.value) : Number(amount.value || Number.NaN)),
    points,
    colour: (tones) => (strip.style.background = `linear-gradient(90deg, ${bands(tones)})`),
  };
}

/** Colours side by side, without fading into each other. */
function bands(tones) {
  const at = (i) => `${((100 * i) / tones.length).toFixed(2)}%`;
  return tones.map((tone, i) => `${tone} ${at(i)} ${at(i + 1)}`).join(", ");
}

function buttons(type, id, members, isOn) {
  const inputs = members.map((value, i) => element("input", { type, name: id, value, checked: isOn(i) }));
  const labels = inputs.map((input) => element("label", {}, input, input.value));
  const ariaLabel = id.replace(/^in-/, "");
  const box = element("div", { className: "control choices", id, role: "group", ariaLabel }, ...labels);
  return { inputs, labels, box };
}

function choice(field, id) {
  const { inputs, labels, box } = buttons("radio", id, field.members, (i) => i === 0);
  return {
    element: box,
    read: () => inputs.find((input) => input.checked).value,
    points: () => field.members,
    colour: (tones) => tones.forEach((tone, i) => labels[i].style.setProperty("--tone", tone)),
  };
}

function yesOrNo(id) {
  const { inputs, labels, box } = buttons("radio", id, ["no", "yes"], (i) => i === 0);
  return {
    element: box,
    read: () => inputs[1].checked,
    points: () => [false, true],
    colour: (tones) => tones.forEach((tone, i) => labels[i].style.setProperty("--tone", tone)),
  };
}

function choices(field, id) {
  const { inputs, labels, box } = buttons("checkbox", id, field.members, () => false);
  const chosen = () => inputs.filter((input) => input.checked).map((input) => input.value);
  const toggled = (value) => {
    const others = chosen().filter((one) => one !== value);
    return others.length < chosen().length ? others : [...others, value];
  };
  return {
    element: box,
    read: chosen,
    points: () => field.members.map(toggled),
    colour: (tones) => tones.forEach((tone, i) => labels[i].style.setProperty("--tone", tone)),
  };
}

function line(field, id) {
  const input = element("input", { type: "text", id, value: field.kind === "path" ? "src" : field.name });
  return { element: element("div", { className: "control" }, input), read: () => input.value };
}
