"""Load ``product.yaml`` and say what is wrong with it by line.

Reads ``product.yaml``; writes nothing. The classes are in ``types.py``, the checks across them in
``contradictions.py``; here stand the three-line errors. Run: ``make check``.
"""

import unicodedata
from pathlib import Path

import yaml
from pydantic import ValidationError

from fullstack_ml.product.contradictions import contradictions
from fullstack_ml.product.guide import check_labels, guide_version
from fullstack_ml.product.questions import open_questions
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.aliases import refuse_bomb
from fullstack_ml.workspace.errors import Location, UserError, dotted, explain, first_line, guard
from fullstack_ml.workspace.git import git
from fullstack_ml.workspace.paths import PRODUCT

TEXTS = [("service", key) for key in ("users", "decision", "why_now")]
TEXTS += [("formulation", key) for key in ("in_scope", "out_of_scope")]


def load(path: Path = PRODUCT) -> Product:
    """Read and check the contract.

    Raises:
        UserError: for the first mistake, with its line and the allowed values.
    """
    refuse_bomb(path)
    try:
        text = unicodedata.normalize("NFC", path.read_text(encoding="utf-8"))  # as the data, see their sources
        node, plain = yaml.compose(text), yaml.safe_load(text)
    except FileNotFoundError as error:
        fix = "make draft FROM=<your data> writes it; git restore product.yaml brings the old one back"
        fix = fix if Path("dvc.yaml").exists() else "run from the project's root"
        raise UserError(f"{path} is not there", str(path.resolve().parent), fix) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        what = f"not UTF-8: byte {error.object[error.start]:#x}"
        raise UserError(what, f"{path}:{line}", "save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"not YAML: {error.problem}", f"{path}:{line}", "mend the line") from error
    except (yaml.YAMLError, ValueError) as error:  # a character, such as NUL; a value, such as the 31st of February
        raise UserError(f"not YAML: {first_line(error)}", str(path), "mend the value") from error
    except RecursionError as error:
        raise UserError("it is nested too deeply", str(path), "mend the value") from error
    _refuse_twins(node, path)

    def place(location: Location) -> str:
        return f"{path}:{_line(node, location)}, {dotted(location)}"

    try:
        product = Product.model_validate(plain or {})
    except ValidationError as error:
        raise explain(error, Product, place) from error
    for location, what, fix in contradictions(product):
        raise UserError(what, place(location), fix)
    return product


def _refuse_twins(node: yaml.Node | None, path: Path) -> None:
    """Raise for a key that stands twice in one mapping: YAML would silently take the last."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                first = f"it stands in line {seen[key.value]} too; delete one of them"
                raise UserError(f"the key {key.value!r} stands twice", f"{path}:{line}", first)
            seen[key.value] = line
            _refuse_twins(value, path)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_twins(item, path)


def _line(node: yaml.Node | None, location: Location) -> int:
    """Find the line (from 1) of the deepest key of ``location`` that is in the file."""
    line = 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == part]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def of_the_sample(product: Product) -> list[str]:
    """Name the texts that the first commit of the project has too, where that had other labels."""
    root = (git("rev-list", "--max-parents=0", "HEAD") or "").split()
    first = yaml.safe_load(git("show", f"{root[0]}:./{PRODUCT}") or "{}") if root else {}
    labels = first.get("formulation", {}).get("answer", {}).get("labels", [])
    if not labels or {label["name"] for label in labels} == set(product.formulation.label_names):
        return []
    now = product.model_dump()
    return [".".join(key) for key in TEXTS if str(first.get(key[0], {}).get(key[1])) == str(now[key[0]][key[1]])]


def guesses() -> int:
    """Count the guesses of ``make draft`` in the contract that nobody has settled."""
    return PRODUCT.read_text(encoding="utf-8").count("# draft:")


def main() -> None:
    """Say that the contract holds together, or what is wrong with it."""
    product = load()
    guide_version()
    check_labels(product.formulation.label_names)
    print(f"{PRODUCT}: {len(product.requirements)} requirements, no mistake")
    if unanswered := open_questions(product):
        print(f"{PRODUCT}: {len(unanswered)} questions are open: {', '.join(unanswered)}")
    if many := guesses():
        print(f"{PRODUCT}: {many} guesses of make draft are not settled: grep -n '# draft:' {PRODUCT}")
    if left := of_the_sample(product):
        print(f"still the sample's words, perhaps: {', '.join(left)}")


if __name__ == "__main__":
    guard(main)
