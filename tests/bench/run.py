"""Measure everything and print it as Markdown: `make bench`, or `make bench ONLY=generation ROUNDS=9`."""

import os

import generation
import lifecycle
import stages
from measure import ROUNDS, machine_class

GROUPS = {"generation": generation.main, "lifecycle": lifecycle.main, "stages": stages.main}


def main() -> None:
    """Run the groups that are asked for; all of them by default."""
    print(f"Medians of {ROUNDS} rounds. {machine_class()}\n", flush=True)
    for name in os.environ.get("ONLY", " ".join(GROUPS)).split():
        GROUPS[name]()


if __name__ == "__main__":
    main()
