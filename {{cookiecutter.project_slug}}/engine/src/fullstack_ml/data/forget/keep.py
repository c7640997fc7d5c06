"""Hand label tables to DVC, so that ``dvc checkout`` gives what they hold now.

Reads the tables; writes the ``.dvc`` file beside each.
"""

import subprocess
import sys
from pathlib import Path


def keep(*paths: Path) -> str | None:
    """Run ``dvc add`` on ``paths``; return why it did not work, or None."""
    # As a module: the command is only on the path of an environment that was activated.
    command = [sys.executable, "-m", "dvc", "add", "--quiet", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    said = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    said = said or done.stderr.splitlines()[-1:] or [f"it ended with {done.returncode}"]
    return said[0] if done.returncode else None
