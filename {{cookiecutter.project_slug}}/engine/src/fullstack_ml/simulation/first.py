"""The first model of the month, which knows the past alone, and has to be accepted by the project's own requirements.

Of fewer records a model is worse: where a requirement fails, less is held back. No requirement is changed for that.
Reads the reports of the copy; writes nothing but through ``copying.py`` and the commands.
"""

import time
from typing import Any

from fullstack_ml.pages.formats import number
from fullstack_ml.pages.words import words
from fullstack_ml.product.types import Product
from fullstack_ml.simulation.commands import Copy
from fullstack_ml.simulation.copying import HELD, drawn_records, enough, make_copy, parted
from fullstack_ml.simulation.weeks import Month
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.paths import ACCEPTANCE, PRODUCT

TIME = "latency_"  # begins a metric that says how busy the machine is, whatever the model learned from


def failed(copy: Copy) -> list[dict[str, Any]]:
    """Return the requirements that the model of the copy does not meet; none where it was not judged."""
    if not (copy.folder / ACCEPTANCE).exists():
        return []
    rows: list[dict[str, Any]] = [row for row in copy.report(str(ACCEPTANCE))["verdicts"] if row["verdict"] != "pass"]
    return rows


def told(rows: list[dict[str, Any]]) -> str:
    """Write requirements that failed."""
    found = []
    for row in rows:
        reached = "not measured" if row["value"] is None else number(row["value"])
        found.append(f"{row['id']} {row['metric']} {reached}, wanted {row['operator']} {number(row['threshold'])}")
    return "; ".join(found)


def first_model(product: Product) -> Month:
    """Make the copy and its first model; hold back less until it is accepted.

    Raises:
        UserError: if it never is: with the requirements that failed, and on how many records.
    """
    began, found, rows = time.monotonic(), drawn_records(product), list[dict[str, Any]]()
    learned, busy = 0, False
    shares = [share for share in HELD if enough(parted(found, product, share)[1])] or [HELD[0]]
    for share in shares:
        month = Month(product, make_copy(product, found, share), began)
        held = sum(map(len, (month.future.normal, month.future.shifted, month.future.later)))
        month.copy.commit("What was known before the month")
        ran = month.copy.type("make", may=(0, 2))
        if not ran.code:
            month.copy.commit("First accepted model")
            report = month.copy.report("reports/registration.json")
            text = "%(n)s records are held back as the future; make: version %(version)s is %(alias)s"
            month.say(words("before the month"), words(text, n=held, version=report["version"], alias=report["alias"]))
            return month
        rows, learned = failed(month.copy), len(found) - held
        if not rows:
            raise month.copy.failed(ran)
        text = "%(n)s records are held back as the future; a model of the rest is rejected: %(rows)s"
        print(words(text, n=held, rows=told(rows)), flush=True)
        if busy := all(row["metric"].startswith(TIME) for row in rows):
            break
    what = f"a first model of {learned:,} of the {len(found):,} records is rejected: {told(rows)}"
    fix = "let nothing else run, then type it again" if busy else "label more records, or try it with the sample data"
    raise UserError(what, str(PRODUCT), fix)
