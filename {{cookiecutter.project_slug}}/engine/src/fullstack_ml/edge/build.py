"""Build the page that runs the artefact in the browser: draw or drop an image, fill in fields, or write.

Reads ``models/model.onnx``, ``product.yaml``, the reports and the training split; writes ``dist/edge/``. What the page
says and decides stands in ``model.json``, taken out of the artefact, since onnxruntime-web does not show a model's
metadata. Run: ``make edge``, then ``make edge-serve``.
"""

import base64
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from fullstack_ml.artefact.session import Artefact, stated
from fullstack_ml.edge.runtime import PACKAGE, fetch
from fullstack_ml.inputs import input_of
from fullstack_ml.pages.render import html
from fullstack_ml.pages.words import catalogue, language
from fullstack_ml.pipeline.examples import read
from fullstack_ml.product.contract import load
from fullstack_ml.product.guide import guide_version
from fullstack_ml.product.types import Product
from fullstack_ml.registry.registration import registered
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import read_json, sha256, write_json, write_text
from fullstack_ml.workspace.paths import ACCEPTANCE, MODEL, PRODUCT
from fullstack_ml.workspace.seams import SOURCE, package_name

SITE = Path("dist/edge")
PAGE = Path(__file__).with_name("page")
# What every page has; the parts that a product's input and answer name come beside it.
FRAME = ("page.css", "icon.svg", "page.js", "model.js", "language.js")
# Random records on which a browser has to agree with this machine before the page answers anything.
CHECKS = 3
TOLD = re.compile(r'\btell\(\s*"([^"]+)"')  # a text that the page says: see language.js


def checks(artefact: Artefact, product: Product) -> dict[str, Any]:
    """Score random records, drawn evenly from what product.yaml allows, and return them with their scores."""
    inputs = input_of(product).random_inputs(product, CHECKS, 0)
    scored = artefact.score(inputs)
    return {
        "inputs": base64.b64encode(inputs.tobytes()).decode(),
        "outputs": scored.outputs.tolist(),
        "novelty": scored.novelty.tolist(),
        "decisions": artefact.decide(scored).tolist(),
    }


def tensor(artefact: Artefact) -> dict[str, Any]:
    """Return how the graph is asked: names of input and output, type and shape of one record."""
    given = artefact.session.get_inputs()[0]
    kind = given.type.removeprefix("tensor(").removesuffix(")").replace("float", "float32")
    return {"input": given.name, "output": artefact.output_name, "type": kind, "shape": given.shape[1:]}


def parts(seam: str, kind: str, names: tuple[str, ...]) -> list[Path]:
    """Return the files of the page that a module of a seam names, the product's own before the engine's.

    Raises:
        UserError: if it names none, or one that is not there.
    """
    own = SOURCE / package_name() / seam
    where = f"PAGE of the {seam} module {kind!r}"
    if not names:
        fix = f'write {own}/{kind}.js, and PAGE = ("{kind}.js",) in the module; or make remove PART=edge'
        raise UserError(f"a page cannot show {kind!r}: it names no file", where, fix)
    found = [next((f / name for f in (own, PAGE) if (f / name).is_file()), own / name) for name in names]
    for path in found:
        if not path.is_file():
            raise UserError(f"{path.name} is not there", where, f"write {path}")
    return found


def describe(artefact: Artefact, product: Product, inputs: np.ndarray) -> dict[str, Any]:
    """Return what the page needs to know, for ``model.json``."""
    formulation, metadata = product.formulation, artefact.metadata
    digest = sha256(MODEL)
    return {
        "name": product.service.name,
        "decision": product.service.decision,
        "in_scope": formulation.in_scope,
        "out_of_scope": formulation.out_of_scope,
        "answer": formulation.answer.model_dump(mode="json"),
        "input": json.loads(metadata["input"]),
        "max_pixels": formulation.input.max_pixels,
        "tensor": tensor(artefact),
        "parts": {"input": input_of(product).PAGE[0], "answer": artefact.answer.PAGE[0]},
        "rule": json.loads(metadata["decision"]),
        "typical": input_of(product).typical(inputs, product),
        "checks": checks(artefact, product),
        "model": {"file": "model.onnx", "sha256": digest, "bytes": MODEL.stat().st_size},
        "versions": {
            "model": registered(digest).get("version"),
            "estimator": metadata["model"],
            "guide": guide_version(),
            "data": metadata["train_sha256"],
            "engine": PACKAGE,
        },
    }


def translations(page: list[Path]) -> dict[str, str]:
    """Return what the page says in the product's language, by English text; nothing where that is English."""
    known = catalogue(language())
    told = (text for path in page if path.suffix == ".js" for text in TOLD.findall(path.read_text(encoding="utf-8")))
    return {text: known[text] for text in told if text in known}


def refuse(artefact: Artefact, product: Product) -> None:
    """Stop unless the gate let this artefact pass, and ``product.yaml`` still asks for its input and answer."""
    acceptance = read_json(ACCEPTANCE) if ACCEPTANCE.exists() else {}
    if not acceptance.get("accepted"):
        what = f"the artefact was not accepted: {', '.join(acceptance.get('failed', ['no verdict']))}"
        raise UserError(what, f"{ACCEPTANCE} against {PRODUCT}", "make status says what to improve")
    if any(artefact.metadata.get(name) != said for name, said in stated(product).items()):
        raise UserError(f"{MODEL} was made from another {PRODUCT}", f"metadata of {MODEL}", "run dvc repro accept")


def run(site: Path = SITE) -> None:
    """Lay page, engine, artefact and description into ``site``, which appears whole or not at all."""
    if not MODEL.exists():
        raise UserError(f"{MODEL} is not there", str(MODEL), "run dvc repro accept")
    product, artefact = load(), Artefact(MODEL)
    refuse(artefact, product)
    wanted, answer = product.formulation.input.type, product.formulation.answer.type
    page = [PAGE / name for name in FRAME] + parts("inputs", wanted, input_of(product).PAGE)
    page += parts("answers", answer, artefact.answer.PAGE)
    description = describe(artefact, product, read("train", product).inputs) | {"words": translations(page)}
    engine = fetch()
    building = site.with_name(f".{site.name}.tmp")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    for path in page:
        shutil.copyfile(path, building / path.name)
    loaded = [path.name for path in page if path.suffix == ".js" and path.name != "page.js"]
    write_text(building / "index.html", html(PAGE, "index.html.j2", parts=loaded))
    shutil.copytree(engine, building / "runtime")
    shutil.copyfile(MODEL, building / "model.onnx")
    write_json(building / "model.json", description)
    shutil.rmtree(site, ignore_errors=True)
    building.rename(site)
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) / 2**20
    print(f"edge: {site}/ {size:.1f} MiB, model {description['model']['sha256'][:12]}; open it with make edge-serve")


if __name__ == "__main__":
    guard(run)
