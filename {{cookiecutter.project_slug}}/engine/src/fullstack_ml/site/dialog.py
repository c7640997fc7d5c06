"""Put the language of the project into the search dialog, which the builder has in English only.

Reads and writes the builder's own script in a built site.
"""

import json
from pathlib import Path

from fullstack_ml.pages.words import words


def texts() -> dict[str, str]:
    """Map each text, as it stands in the script, to that of the language."""
    hint = "Use Up and Down arrow keys to move between tags. Press Space or Enter to toggle a tag."
    return {
        "Search": words("Search"),
        "Close search": words("Close search"),
        "Loading search\\u2026": words("Loading search…"),
        "Search is unavailable. Reload the page to try again.": words(
            "Search is unavailable. Reload the page to try again."
        ),
        "Search results": words("Search results"),
        "No results": words("No results"),
        "result": words("results"),
        "results": words("results"),
        "Filters": words("Filters"),
        "Tags": words("Tags"),
        hint: words(hint),
    }


def translate(built: Path) -> None:
    """Write the texts into the script; English stays as it is."""
    if words("Search") == "Search":
        return
    for script in built.glob("assets/javascripts/bundle*.js"):
        text = script.read_text(encoding="utf-8")
        for english, said in texts().items():
            text = text.replace(f'"{english}"', json.dumps(said, ensure_ascii=False))
        script.write_text(text, encoding="utf-8")
