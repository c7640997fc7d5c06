// An answer that is said as numbers with a unit, `formulation.answer.options.unit`, and is held back only where the
// input is unfamiliar: for a rule of `novelty` alone. Part of the page: see page.js.

import { tell } from "./language.js";

/** Return "accept" or "unfamiliar" for one record. */
export function decide(_values, novelty, rule) {
  const limit = rule.novelty ?? null;
  return limit !== null && !(novelty <= Math.fround(limit)) ? "unfamiliar" : "accept"; // NaN is unfamiliar
}

/** The values with their unit; null where they are no numbers. */
export function say(values, { answer }) {
  const text = values.map((value) => Number(value.toPrecision(4))).join(", ");
  return values.every(Number.isFinite) ? `${text} ${answer.options.unit ?? ""}`.trim() : null;
}

/** Tell in sentences why this is said, or why nothing is. */
export function explain(text, decision) {
  const unsure = text === null ? "" : ` ${tell("It would be: %(answer)s.", { answer: text })}`;
  const why = `${tell("No answer: the input is unlike what the model was trained on.")}${unsure}`;
  return decision === "accept" ? tell("The input is familiar.") : why;
}

/** There is nothing to show beside the text. */
export function mount() {
  return () => {};
}
