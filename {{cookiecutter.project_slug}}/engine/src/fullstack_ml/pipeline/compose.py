"""Stage ``compose``: resolve ``conf/`` and ``product.yaml`` into files whose keys say which stages a change concerns.

Reads ``conf/``, ``product.yaml`` and the product's own modules in ``src/``; writes ``params.yaml`` and
``contract.json``. Under ``dvc exp run -S key=value`` DVC has just composed ``params.yaml`` with the overrides, and
``DVC_EXP_NAME`` is set: then it is only checked, or the overrides would be lost.
Run: ``python -m fullstack_ml.pipeline.compose``.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from fullstack_ml.pipeline.stage import readable, typed
from fullstack_ml.product import contract
from fullstack_ml.workspace.errors import guard
from fullstack_ml.workspace.files import sha256, write_json, write_text
from fullstack_ml.workspace.paths import CONF, CONTRACT, PARAMS
from fullstack_ml.workspace.seams import SOURCE, package_name

# Keys of product.yaml that are read by people and decide nothing, wherever they stand, and some by their whole place.
SAID = {"definition", "meaning", "method", "note", "owner", "reason", "unit", "when", "who"}
SAID |= {"service.name", "service.kind", "service.users", "service.decision", "service.why_now", "data.group"}
SAID |= {f"service.{key}" for key in ("functions", "serving", "online_target", "outsourcing")}
SAID |= {f"formulation.{key}" for key in ("in_scope", "out_of_scope", "proxy_metric", "baseline", "kill_criterion")}
SAID |= {"schedule", "annotation", "roles", "audit", "cards"}
# Places of src/<package>/ that the engine looks into, each a folder or a module. DVC stops at a dependency that is not
# there, and none of them has to be; so stages depend on the hashes of what is there.
OWN = ("sources", "inputs", "answers", "models", "backends", "runner", "metrics", "stages")


def resolve(overrides: list[str]) -> DictConfig:
    """Compose ``conf/config.yaml`` with ``overrides`` and replace every interpolation by its value."""
    with readable(), initialize_config_dir(str(CONF.resolve()), version_base="1.3"):
        composed = hydra_compose("config", overrides)
    OmegaConf.resolve(composed)
    return composed


def is_said(place: str) -> bool:
    """Tell whether a dotted place of ``product.yaml`` holds what people read and no stage decides by."""
    parts = place.split(".")
    return parts[-1] in SAID or any(".".join(parts[:end]) in SAID for end in range(1, len(parts) + 1))


def divide(value: Any, place: str = "") -> tuple[Any, Any]:
    """Return what decides and what is said, each in the form of ``value``; ``...`` where there is nothing of a kind.

    A list is kept at its length, so that what is said stays at the place of what it is said of.
    """
    if isinstance(value, dict) and value:
        parts = {key: divide(item, f"{place}.{key}".lstrip(".")) for key, item in value.items()}
        decides, says = ({key: half[n] for key, half in parts.items() if half[n] is not ...} for n in (0, 1))
        return decides or ..., says or ...
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        halves = [divide(item, place) for item in value]
        decided, said = ([{} if half[n] is ... else half[n] for half in halves] for n in (0, 1))
        return decided, said if any(said) else ...
    return (..., value) if is_said(place) else (value, ...)


def keys_of_contract() -> dict[str, Any]:
    """Return digests of product.yaml with its defaults: of what decides, below ``says`` of what people read, and below
    ``own`` of the product's modules.

    Digests, since DVC copies the keys of every stage into ``dvc.lock``, and reading that file is most of what a run
    with nothing to do takes.

    Raises:
        UserError: if ``product.yaml`` does not hold together.
    """
    decides, says = divide(contract.load().model_dump(mode="json"))
    return {
        **digests(decides),
        "says": {**digests(says), "guesses": contract.guesses()},
        "own": own_code(SOURCE / package_name()),
    }


def digests(parts: dict[str, Any]) -> dict[str, Any]:
    """Return a digest for every key of every part, or for a part that has no keys; for those of the answer too.

    Stage ``collect`` reads the answer's type, and would run anew at every new label if it had to list all of it.
    """

    def each(part: Any, deeper: bool) -> Any:
        if not isinstance(part, dict):
            return digest(part)
        return {key: each(value, False) if deeper and key == "answer" else digest(value) for key, value in part.items()}

    return {name: each(part, True) for name, part in parts.items()}


def digest(value: Any) -> str:
    """Return 16 hex digits of the SHA-256 of a value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def own_code(package: Path) -> dict[str, str]:
    """Return for each place of ``OWN`` a digest of its files, and of those of modules that all places may import."""
    files = sorted(path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    hashes = {path.relative_to(package).as_posix(): sha256(path) for path in files}
    place = {name: name.partition("/")[0].removesuffix(".py") for name in hashes}
    return {own: digest({n: hashes[n] for n in hashes if place[n] == own or place[n] not in OWN}) for own in OWN}


def main() -> None:
    """Write ``contract.json`` and ``params.yaml``; check the latter where an experiment has just composed it."""
    keys = keys_of_contract()
    if "DVC_EXP_NAME" in os.environ and PARAMS.exists():
        loaded = OmegaConf.load(PARAMS)
        assert isinstance(loaded, DictConfig)
        typed(loaded)
    else:
        composed = resolve([])
        typed(composed)
        write_text(PARAMS, OmegaConf.to_yaml(composed))
    write_json(CONTRACT, keys)


if __name__ == "__main__":
    guard(main)
