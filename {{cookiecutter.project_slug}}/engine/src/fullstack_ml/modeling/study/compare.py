"""Put artefacts side by side: the exported variants, registered versions by number or alias, models of ``conf/model``.

Reads ``models/variants/*.onnx``, the registry where versions are asked for, the other splits where models are, and the
test split through ``measure``; writes ``reports/comparison.json``.
Run: ``make compare VERSIONS="champion 3" MODELS="logistic boosted"``.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx

from fullstack_ml.artefact.graph import save
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.modeling.accept.__main__ import OPERATORS
from fullstack_ml.modeling.evaluate.__main__ import performance
from fullstack_ml.modeling.export.__main__ import artefact
from fullstack_ml.modeling.measuring.measure import test, unfolded
from fullstack_ml.modeling.register.champion import other_contract
from fullstack_ml.modeling.train.__main__ import make
from fullstack_ml.modeling.train.compatible import check_compatible
from fullstack_ml.pages.formats import number
from fullstack_ml.pipeline.compose import resolve
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.examples import read
from fullstack_ml.pipeline.stage import typed
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.registry.tracking import ClientRegistry
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import write_json
from fullstack_ml.workspace.paths import REPORTS, VARIANT_FILES

COMPARISON = REPORTS / "comparison.json"
# Loads an artefact, scores one record a hundred times, and prints the bytes that this added to the process.
PROBE = """
import sys
import numpy as np
import onnxruntime as ort
import psutil
before = psutil.Process().memory_info().rss
session = ort.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
row = np.load(sys.argv[2])
for _ in range(100):
    session.run(None, {session.get_inputs()[0].name: row})
print(psutil.Process().memory_info().rss - before)
"""


def memory_mib(path: Path, row: np.ndarray) -> float:
    """Return the MiB that loading the artefact and scoring one record add to a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / "row.npy"
        np.save(stored, row)
        command = [sys.executable, "-c", PROBE, str(path), str(stored)]
        printed = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
    return int(printed) / 1024**2


def artefacts(names: list[str]) -> dict[str, Path]:
    """Map what is compared to its file: every exported variant, then the registered versions ``names``."""
    found = {f"{path.stem} (exported)": path for path in sorted(VARIANT_FILES.glob("*.onnx"))}
    if not found:
        raise UserError("there is no exported model", str(VARIANT_FILES), "dvc repro export")
    registry = ClientRegistry() if names else None
    for name in names:
        assert registry
        number = registry.find(name).number
        found[f"version {number}" + ("" if name == number else f" ({name})")] = registry.file(number)
    return found


def trained(name: str, product: Product, folder: Path) -> Path:
    """Make the model ``conf/model/<name>.yaml`` as the pipeline would, in ``folder``, and return its artefact."""
    config, known, held_out = typed(resolve([f"model={name}"])), read("train", product), read("validation", product)
    candidate, path = folder / f"{name}.candidate.onnx", folder / f"{name}.onnx"
    make(config, product, known, held_out, candidate, held_out)
    model = onnx.load(candidate)
    save(artefact(model, [model], [read("calibration", product)], config, product), path)
    return path


def assess(path: Path, product: Product, config: Config) -> dict[str, float | None]:
    """Return every metric of one artefact that a requirement may name, with size, times and memory on this machine."""
    tested = test(Artefact(path), product, config)
    return {
        **tested.report["metrics"],
        **performance(path, tested.examples.frame, product, config.evaluate.timed_calls),
        "memory_mib": memory_mib(path, tested.examples.inputs[:1]),
    }


def as_table(results: dict[str, dict[str, float | None]], product: Product) -> str:
    """Write the results as a table: a row per metric, a mark where a requirement fails."""
    limits = {r.metric: r for r in product.requirements if r.slice == "all"}
    names = list(next(iter(results.values())))
    wide = max(19, *map(len, results)) + 2
    lines = [f"{'':<24}" + "".join(f"{name:>{wide}}" for name in results) + "   required"]
    for metric in [*[n for n in names if n in limits], *[n for n in names if n not in limits]]:
        limit, cells = limits.get(metric), ""
        for measured in results.values():
            value = measured.get(metric)
            fails = limit is not None and not (value is not None and OPERATORS[limit.operator](value, limit.threshold))
            cells += f"{number(value) + (' FAIL' if fails else ''):>{wide}}"
        lines.append(
            f"{metric:<24}{cells}   " + ("" if limit is None else f"{limit.id} {limit.operator} {limit.threshold:g}")
        )
    return "\n".join(lines)


def main() -> None:
    """Compare what the arguments name: versions, and ``model=<name>``."""
    named = [name.partition("model=") for name in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        compare([name for name, _, _ in named if name], [model for _, _, model in named if model], Path(folder))


def compare(versions: list[str], models: list[str], folder: Path) -> None:
    """Print and store the comparison; ``folder`` is for models that only it needs."""
    product, config = load(), typed(resolve([]))
    for name in models:
        check_compatible(typed(resolve([f"model={name}"])).model, product, "make compare MODELS")
    found = artefacts(versions)
    for name in models:
        unfolded(product)
        print(f"compare: training {name}", flush=True)
        found[name] = trained(name, product, folder)
    exported = Artefact(next(iter(found.values())))
    for name, path in found.items():
        if difference := other_contract(Artefact(path), exported):
            raise UserError(f"{name} {difference}", "VERSIONS", "compare versions of today's product.yaml")
    results = {name: assess(path, product, config) for name, path in found.items()}
    write_json(COMPARISON, results)
    print(as_table(results, product))
    print("times and memory: on this machine")


if __name__ == "__main__":
    guard(main)
