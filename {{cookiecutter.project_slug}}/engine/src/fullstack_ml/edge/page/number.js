// The answer of type number: the number with its unit, and the interval around it. Part of the page: see page.js.

import { tell } from "./language.js";

const rounded = (value) => String(Number(value.toPrecision(4)));
const withUnit = (text, { answer }) => `${text} ${answer.options.unit ?? ""}`.trim();

/** Return "accept", "unfamiliar" or "uncertain" for one record: answers/number/rule.py, to the bit. */
export function decide([value, low, high], novelty, rule) {
  if (rule.novelty !== null && !(novelty <= Math.fround(rule.novelty))) {
    return "unfamiliar"; // NaN too
  }
  const narrow = rule.widest === null || Math.fround(high - low) <= Math.fround(rule.widest);
  return narrow && [value, low, high].every(Number.isFinite) ? "accept" : "uncertain";
}

/** The number with its unit; null where it is none. */
export function say([value], description) {
  return Number.isFinite(value) ? withUnit(rounded(value), description) : null;
}

/** Tell in sentences why this is said, or why nothing is. */
export function explain(text, decision, { rule, ...description }) {
  const unsure = text === null ? "" : ` ${tell("It would be: %(answer)s.", { answer: text })}`;
  const limit = rule.widest === null ? "" : withUnit(rounded(rule.widest), description);
  const wide = limit ? tell("No answer: the interval is wider than %(limit)s.", { limit }) : tell("No answer: the interval is too wide.");
  return {
    accept: tell("The input is familiar, and the interval is narrow enough."),
    unfamiliar: `${tell("No answer: the input is unlike what the model was trained on.")}${unsure}`,
    uncertain: `${wide}${unsure}`,
  }[decision];
}

/** Put a scale of the possible range into `root`; return the function that shows an interval on it, or none. */
export function mount(root, description) {
  const { low: least, high: most } = description.answer.options;
  const [scale, bar, fill, text] = ["div", "span", "i", "p"].map((tag) => document.createElement(tag));
  scale.id = "interval";
  bar.className = "bar";
  bar.setAttribute("aria-hidden", "true");
  bar.append(fill);
  scale.append(bar, text);
  root.append(scale);
  const place = (value) => `${(100 * (value - least)) / (most - least)}%`;
  return (values) => {
    const shown = values !== null && values.every(Number.isFinite);
    const [, low, high] = shown ? values : [0, least, least];
    fill.style.marginLeft = place(low);
    fill.style.width = place(least + high - low);
    const share = Math.round(100 * description.rule.coverage);
    const ends = shown ? { low: rounded(low), high: rounded(high) } : { low: rounded(least), high: rounded(most) };
    const range = withUnit(tell("%(low)s to %(high)s", ends), description);
    text.textContent = shown ? tell("%(range)s in %(share)s of 100 such cases", { range, share }) : range;
  };
}
