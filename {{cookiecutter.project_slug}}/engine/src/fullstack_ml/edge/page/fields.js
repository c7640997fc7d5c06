// The input of a table product: one field per feature, with what it may hold.

import { OTHER, about, encode, fault } from "./encoding.js";
import { tell } from "./language.js";
import { LENGTH } from "./texts.js";

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Make a list to choose from; nothing is chosen at first, and nothing may stay where the value may be missing. */
function list(feature, id, choices) {
  const empty = feature.missing === "allowed" ? tell("not known") : tell("choose …");
  const options = [["", empty], ...choices].map(([value, textContent]) => element("option", { value, textContent }));
  return element("select", { id }, ...options);
}

/** Make the control of a feature; a date has a time where its bounds or its typical value have one. */
function control(feature, id, typical) {
  const { low, high } = feature;
  if (feature.values) {
    const other = feature.other === "allowed" ? [[OTHER, tell("another value")]] : [];
    return list(feature, id, [...feature.values.map((value) => [value, value]), ...other]);
  }
  if (feature.type === "flag") {
    const answers = [["true", tell("yes")], ["false", tell("no")]];
    return feature.missing === "allowed" ? list(feature, id, answers) : element("input", { id, type: "checkbox" });
  }
  if (feature.type === "text") {
    return element("textarea", { id, rows: 2, maxLength: feature.length ?? LENGTH });
  }
  if (feature.type === "date") {
    const type = [low, high, typical].some((text) => text?.length > 10) ? "datetime-local" : "date";
    return element("input", { id, type, min: as(type, low ?? ""), max: as(type, high ?? "") });
  }
  const inputMode = feature.type === "whole" && low >= 0 ? "numeric" : "decimal"; // a numeric keyboard has no minus
  return element("input", { id, autocomplete: "off", type: "text", inputMode });
}

/** Return a date as a control of that type takes it: with a time, or without. */
const as = (type, text) =>
  type === "date" ? text.slice(0, 10) : text.length === 10 ? `${text}T00:00` : text.replace(" ", "T");

const read = (input) => (input.type === "checkbox" ? String(input.checked) : input.value);

/** Put a text into a control; a category that is not listed becomes another one. */
function write(feature, input, text) {
  if (input.type === "checkbox") {
    input.checked = encode([feature], [text])[0] === 1;
  } else if (input.type === "select-one") {
    const [place] = encode([feature], [text]);
    const values = feature.values ?? ["false", "true"];
    input.value = text.trim() === "" ? "" : (values[place] ?? (feature.other === "allowed" ? OTHER : ""));
  } else {
    input.value = feature.type === "date" ? as(input.type, text.trim()) : text;
  }
  input.setAttribute("aria-invalid", "false");
}

/**
 * Put the fields into `root`; return what to tell the reader to do.
 * Calls `give(values)` for a complete row, `fail(error)`, and `clear()`.
 */
export function mount(root, _aside, description, { give, fail, clear }) {
  const { features } = description.input;
  const inputs = features.map((feature, i) => control(feature, `field-${i}`, description.typical[feature.name]));
  const fields = features.map((feature, i) => {
    inputs[i].setAttribute("aria-describedby", `about-${i}`);
    const label = element("label", { htmlFor: `field-${i}`, textContent: feature.name.replaceAll("_", " ") });
    label.title = feature.meaning;
    const empty = feature.missing === "allowed" && inputs[i].type !== "select-one" ? tell("may stay empty") : "";
    const textContent = [about(feature), empty].filter(Boolean).join("; ");
    return element("div", {}, label, element("small", { id: `about-${i}`, textContent }), inputs[i]);
  });
  const typical = element("button", { type: "button", textContent: tell("Typical values") });
  const wipe = element("button", { type: "button", textContent: tell("Clear") });
  const ask = element("button", { type: "submit", textContent: tell("Ask the model"), className: "primary" });
  const form = element(
    "form",
    { noValidate: true },
    element("div", { className: "fields" }, ...fields),
    element("div", { className: "row" }, ask, typical, wipe),
  );
  root.append(form);

  function submit() {
    const texts = inputs.map(read);
    const faults = texts.map((text, i) => fault(features[i], text));
    inputs.forEach((input, i) => input.setAttribute("aria-invalid", String(faults[i] !== "")));
    const first = faults.findIndex((text) => text !== "");
    if (first >= 0) {
      inputs[first].focus();
      fail(new Error(faults[first]));
    } else {
      give(encode(features, texts));
    }
  }

  function fill(texts) {
    inputs.forEach((input, i) => write(features[i], input, String(texts[i] ?? "")));
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
    const text = event.clipboardData.getData("text").trim();
    const signs = features[0].type === "text" ? [/\t/] : [/[\t;]/, /,/, /\s+/];
    const cells = text.split(signs.find((sign) => sign.test(text)));
    if (cells.length > 1) {
      event.preventDefault();
      fill(cells);
    }
  });
  return tell("Fill in %(what)s. A whole row can be pasted into the first field.", { what: description.input.meaning });
}
