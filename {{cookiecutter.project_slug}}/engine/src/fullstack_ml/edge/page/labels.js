// The answer of type labels: all that hold, a bar per label with its threshold, and why there is no answer. Part of the page: see page.js.

import { bars, row, share } from "./bars.js";
import { tell } from "./language.js";

/** Which labels are answered: chosen of answers/labels/rule.py, to the bit. */
export function chosen(probabilities, { thresholds, excludes }) {
  const given = probabilities.map((probability, i) => probability >= Math.fround(thresholds[i]));
  for (const group of excludes) {
    const shares = group.map((i) => (given[i] ? probabilities[i] : -1));
    const best = group[shares.indexOf(Math.max(...shares))];
    group.filter((i) => i !== best).forEach((i) => (given[i] = false));
  }
  return given;
}

/** Return "accept", "unfamiliar" or "uncertain" for one record: answers/labels/rule.py, to the bit. */
export function decide(probabilities, novelty, rule) {
  const finite = probabilities.every(Number.isFinite);
  if (rule.novelty === null) {
    return finite ? "accept" : "uncertain";
  }
  if (!(novelty <= Math.fround(rule.novelty))) {
    return "unfamiliar"; // NaN too
  }
  const given = chosen(probabilities, rule);
  const all = probabilities.every((probability, i) => given[i] || !(probability >= candidate(i, rule)));
  const confidence = probabilities.reduce((product, probability, i) => product * (given[i] ? probability : 1 - probability), 1);
  return finite && all && confidence >= rule.confidence ? "accept" : "uncertain";
}

const candidate = (i, { thresholds, floor }) => Math.min(Math.fround(thresholds[i]), Math.fround(floor));

/** All labels that are answered; null where nothing can be compared. */
export function say(probabilities, { answer, rule }) {
  if (!probabilities.every(Number.isFinite)) {
    return null;
  }
  const given = chosen(probabilities, rule);
  return answer.labels.filter((_, i) => given[i]).map(({ name }) => name).join(", ") || tell("none of the labels");
}

/** Tell in sentences why this is said, or why nothing is. */
export function explain(text, decision) {
  const unsure = text === null ? "" : ` ${tell("It would be: %(answer)s.", { answer: text })}`;
  return {
    accept: tell("The input is familiar, and every label that may be right is likely enough."),
    unfamiliar: `${tell("No answer: the input is unlike what the model was trained on.")}${unsure}`,
    uncertain: `${tell("No answer: whether all labels are right is too unsure.")}${unsure}`,
  }[decision];
}

/** Put the bars into `root`; return the function that shows probabilities, or none. */
export function mount(root, { answer, rule }) {
  const show = bars(root);
  const from = (i) => tell("answered from %(share)s", { share: share(rule.thresholds[i]) });
  return (probabilities) => {
    const given = probabilities && chosen(probabilities, rule);
    show(answer.labels.map((label, i) => row(label.name, `${label.definition}; ${from(i)}`, probabilities?.[i], given?.[i])));
  };
}
