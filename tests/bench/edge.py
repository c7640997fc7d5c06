"""Measure the edge page of a project in headless Chromium: the first answer of a cold start, and the others.

Reads `dist/edge/` of the project, which `make edge` builds; prints a Markdown table. Each load has a new
browser with an empty profile, so that nothing is cached.
Run: `python tests/bench/edge.py demo/my-product [loads]`.
"""

import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from chromium import chromium, served

CALLS = 500
READY = "performance.getEntriesByName('ready').length"
# `ready` is marked when the model has scored its check records: that was the first answer.
FIRST = """
const { load } = await import("./model.js");
const [navigation] = performance.getEntriesByType("navigation");
const ready = performance.getEntriesByName("ready")[0].startTime;
const { description, predict } = await load();
const bytes = Uint8Array.from(atob(description.checks.inputs), (character) => character.charCodeAt(0));
const all = description.input.type === "image" ? bytes : new Float32Array(bytes.buffer);
const one = all.slice(0, all.length / description.checks.novelty.length);
const times = [];
for (let call = 0; call < calls; call++) {
  const start = performance.now();
  await predict(one);
  times.push(performance.now() - start);
}
return { load: navigation.loadEventEnd, ready, times };
"""


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` of the values lie."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def main(project: Path, loads: int) -> None:
    """Load the page several times and print what it took."""
    starts, after_load, times = [], [], []
    for _ in range(loads):
        with served(project / "dist" / "edge") as url, chromium() as page:
            page.open(url, READY)
            found = page.run(FIRST, calls=CALLS)
            starts.append(found["ready"])
            after_load.append(found["ready"] - found["load"])
            times += found["times"]
    print(f"| edge page, {loads} cold loads | median ms | worst ms | limit ms |\n|---|---|---|---|")
    for name, values in (("navigation to first answer", starts), ("load event to first answer", after_load)):
        print(f"| {name} | {statistics.median(values):.0f} | {max(values):.0f} | 1500 |")
    print(f"| each answer after, {CALLS} per load | {statistics.median(times):.2f} | {max(times):.1f} | 20 |")
    print(f"| the same, 99 of 100 | {percentile(times, 0.99):.2f} | | 20 |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10)
