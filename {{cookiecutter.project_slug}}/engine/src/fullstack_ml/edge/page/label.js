// The answer of type label: the most probable one, a bar per label, and why there is none. Part of the page: see page.js.

import { bars, row } from "./bars.js";
import { chosen } from "./decision.js";
import { tell } from "./language.js";

export { decide } from "./decision.js";

const reasons = () => ({
  accept: tell("The input is familiar, and one label is likely enough."),
  unfamiliar: tell("No answer: the input is unlike what the model was trained on."),
  uncertain: tell("No answer: no single label is likely enough."),
});

/** The most probable label, or the cheapest one; null where nothing can be compared. */
export function say(probabilities, { answer, rule }) {
  return answer.labels[chosen(probabilities, rule)]?.name ?? null;
}

/** Tell in sentences why this is said, or why nothing is. */
export function explain(label, decision, { answer, rule }) {
  const first = rule.costs
    ? tell("The label whose errors cost least is %(label)s.", { label })
    : tell("The most likely label is %(label)s.", { label });
  const unsure = label === null ? "" : ` ${first}`;
  const definition = answer.labels.find((known) => known.name === label)?.definition.replace(/\.$/, "") ?? "";
  const sentence = definition && `${definition[0].toUpperCase()}${definition.slice(1)}. `;
  return decision === "accept" ? `${sentence}${reasons().accept}` : `${reasons()[decision]}${unsure}`;
}

/** Put the bars into `root`; return the function that shows probabilities, or none. */
export function mount(root, { answer }) {
  const show = bars(root);
  return (probabilities) => {
    const highest = probabilities ? Math.max(...probabilities) : NaN;
    show(answer.labels.map((label, i) => row(label.name, label.definition, probabilities?.[i], probabilities?.[i] === highest)));
  };
}
