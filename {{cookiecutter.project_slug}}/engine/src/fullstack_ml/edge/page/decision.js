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
  let sure = likely.length === 1 && Math.max(...probabilities) >= Math.fround(rule.confidence);
  if (sure && rule.costs) {
    const costs = expectedCosts(probabilities, rule.costs);
    sure = probabilities[cheapest(costs)] === likely[0] && Math.min(...costs) <= 1;
  }
  return sure ? "accept" : "uncertain";
}

/** The place of the label that is answered: the most probable, or where errors cost differently the cheapest. */
export function chosen(probabilities, rule) {
  return rule.costs ? cheapest(expectedCosts(probabilities, rule.costs)) : probabilities.indexOf(Math.max(...probabilities));
}

const cheapest = (costs) => costs.indexOf(Math.min(...costs));

/** What answering each label costs on average; the terms are added in the order of the labels, as in rule.py. */
function expectedCosts(probabilities, costs) {
  return costs.map((_, given) => costs.reduce((sum, row, right) => sum + probabilities[right] * row[given], 0));
}
