// Answer or abstain: the rule of answers/label/rule.py, to the bit. Thresholds are compared as float32, as the artefact's numbers are.

/** Return "accept", "unfamiliar" or "uncertain" for one record. */
export function decide(probabilities, novelty, rule) {
  if (rule.floor === 0 && rule.confidence === 0 && rule.novelty === null && rule.coverage === 1) {
    return "accept";
  }
  if (rule.novelty !== null && !(novelty <= Math.fround(rule.novelty))) {
    return "unfamiliar"; // NaN too
  }
  const floor = Math.fround(rule.floor);
  const likely = probabilities.filter((probability) => probability >= floor);
  return likely.length === 1 && Math.max(...probabilities) >= Math.fround(rule.confidence) ? "accept" : "uncertain";
}
