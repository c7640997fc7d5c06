// The input of a table product: one field per feature, with its range and unit.

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Say what is wrong with a field's text, or "" when it is a number in the feature's range. */
export function fault(feature, text) {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) {
    return `${feature.name} needs a number.`;
  }
  const inside = value >= feature.low && value <= feature.high;
  return inside ? "" : `${feature.name} is ${text.trim()}; allowed are ${feature.low} to ${feature.high}.`;
}

/**
 * Put the fields into `root`; return what to tell the reader to do.
 * Calls `give(values)` for a complete row, `fail(error)`, and `clear()`.
 */
export function mount(root, _aside, description, { give, fail, clear }) {
  const { features } = description.input;
  const inputs = features.map((feature, i) => {
    const input = element("input", { id: `field-${i}`, type: "text", inputMode: "decimal", autocomplete: "off" });
    input.setAttribute("aria-describedby", `about-${i}`);
    input.placeholder = `${feature.low} to ${feature.high}`;
    return input;
  });
  const fields = features.map((feature, i) => {
    const about = `${feature.low} to ${feature.high} ${feature.unit}`;
    const label = element("label", { htmlFor: `field-${i}`, textContent: feature.name.replaceAll("_", " ") });
    label.title = feature.meaning;
    return element("div", {}, label, element("small", { id: `about-${i}`, textContent: about }), inputs[i]);
  });
  const typical = element("button", { type: "button", textContent: "Typical values" });
  const wipe = element("button", { type: "button", textContent: "Clear" });
  const ask = element("button", { type: "submit", textContent: "Ask the model", className: "primary" });
  const form = element(
    "form",
    { noValidate: true },
    element("div", { className: "fields" }, ...fields),
    element("div", { className: "row" }, ask, typical, wipe),
  );
  root.append(form);

  function submit() {
    const faults = inputs.map((input, i) => fault(features[i], input.value));
    inputs.forEach((input, i) => input.setAttribute("aria-invalid", String(faults[i] !== "")));
    const first = faults.findIndex((text) => text !== "");
    if (first >= 0) {
      inputs[first].focus();
      fail(new Error(faults[first]));
    } else {
      give(Float32Array.from(inputs, (input) => Number(input.value)));
    }
  }

  function fill(values) {
    inputs.forEach((input, i) => {
      input.value = values[i] ?? "";
      input.setAttribute("aria-invalid", "false");
    });
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  typical.addEventListener("click", () => {
    fill(features.map((feature) => description.typical[feature.name]));
    submit();
  });
  wipe.addEventListener("click", () => {
    fill([]);
    clear();
  });
  inputs[0].addEventListener("paste", (event) => {
    const cells = event.clipboardData.getData("text").trim().split(/[\t,;]\s*|\s+/);
    if (cells.length > 1) {
      event.preventDefault();
      fill(cells);
    }
  });
  return `Fill in ${description.input.meaning}. A whole row can be pasted into the first field.`;
}
