// The answer of type labels: all that hold, a bar per label with its threshold, and why there is no answer. Part of the page: see page.js.

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
const share = (value) => `${(100 * value).toFixed(1)} %`;

/** All labels that are answered; null where nothing can be compared. */
export function say(probabilities, { answer, rule }) {
  if (!probabilities.every(Number.isFinite)) {
    return null;
  }
  const given = chosen(probabilities, rule);
  return answer.labels.filter((_, i) => given[i]).map(({ name }) => name).join(", ") || "none of the labels";
}

/** Tell in sentences why this is said, or why nothing is. */
export function explain(text, decision) {
  const unsure = text === null ? "" : ` It would be: ${text}.`;
  return {
    accept: "The input is familiar, and every label that may be right is likely enough.",
    unfamiliar: `No answer: the input is unlike what the model was trained on.${unsure}`,
    uncertain: `No answer: whether all labels are right is too unsure.${unsure}`,
  }[decision];
}

/** Put the bars into `root`; return the function that shows probabilities, or none. */
export function mount(root, { answer, rule }) {
  const list = Object.assign(document.createElement("ol"), { id: "probabilities", ariaLabel: "Probability of each label" });
  root.append(list);
  return (probabilities) => {
    const given = probabilities && chosen(probabilities, rule);
    list.replaceChildren(
      ...answer.labels.map((label, i) => {
        const row = document.createElement("li");
        const [name, bar, fill, value] = ["span", "span", "i", "span"].map((tag) => document.createElement(tag));
        name.textContent = label.name;
        row.title = `${label.definition}; answered from ${share(rule.thresholds[i])}`;
        bar.className = "bar";
        bar.setAttribute("aria-hidden", "true");
        bar.append(fill);
        value.className = "value";
        if (probabilities) {
          fill.style.width = `${100 * probabilities[i]}%`;
          value.textContent = share(probabilities[i]);
          row.classList.toggle("top", given[i]);
        }
        row.append(name, bar, value);
        return row;
      }),
    );
  };
}
