"""product.yaml: what is accepted, and what a mistake in it says.

The mistakes are put into the contract of this project, so that it can change without these tests.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from fullstack_ml.pipeline import compose
from fullstack_ml.pipeline import tables as records
from fullstack_ml.product import contract, contradictions, guide
from fullstack_ml.workspace import errors

Refused = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def written(root: Path) -> Any:
    """The contract of this project as plain data."""
    return yaml.safe_load((root / "product.yaml").read_text(encoding="utf-8"))


def line_of(text: str, part: str) -> int:
    """Return the line, from 1, on which ``part`` last stands."""
    return text[: text.rindex(part)].count("\n") + 1


def rename(section: dict[str, Any], key: str, other: str) -> None:
    """Misspell a key."""
    section[other] = section.pop(key)


def first(written: Any) -> Any:
    """Return the first requirement."""
    return written["requirements"][0]


def name_of(written: Any, label: int) -> str:
    """Return the name of a label."""
    return str(written["formulation"]["answer"]["labels"][label]["name"])


def test_the_contract_of_this_project_holds_together(root: Path, written: Any) -> None:
    loaded = contract.load(root / "product.yaml")
    assert loaded.formulation.label_names == [label["name"] for label in written["formulation"]["answer"]["labels"]]
    assert [r.id for r in loaded.requirements] == [r["id"] for r in written["requirements"]]
    assert {feature.name for feature in loaded.formulation.input.features} <= set(contradictions.columns(loaded))


def measure(written: Any, **changed: Any) -> None:
    """Let the input be a table of two features, of which the second is changed."""
    one = {"name": "width", "low": 0, "high": 9, "unit": "mm", "meaning": "width"}
    features = [one, one | {"name": "height"} | changed]
    table = {"name": "part", "type": "table", "meaning": "a part", "features": features}
    written["formulation"].update(input=table)
    written["data"].pop("drawn", None)


def draw(written: Any) -> None:
    """Ask for letters of a table."""
    measure(written)
    written["data"].update(drawn=["letters"])


class NoAlias(yaml.SafeDumper):
    """Write equal rows out, instead of a reference to the first."""

    def ignore_aliases(self, data: Any) -> bool:
        """Refer to nothing."""
        return True


# What is done to the contract, a word by which its line is known, what the error says, and what its advice names.
MISTAKES: dict[str, tuple[Callable[[Any], Any], str, str, str]] = {
    "misspelled-key": (lambda c: rename(c["service"], "users", "usrs"), "usrs:", "unknown key 'usrs'", "'users'"),
    "misspelled-section": (lambda c: rename(c, "schedule", "scedule"), "scedule:", "unknown key", "'schedule'"),
    "misspelled-key-in-a-row": (
        lambda c: rename(first(c), "threshold", "treshold"),
        "treshold:",
        "unknown key 'treshold'",
        "'threshold'",
    ),
    "key-like-no-other": (lambda c: c["data"].update(zzz=1), "zzz:", "unknown key 'zzz'", "licences"),
    "missing-key": (lambda c: c["data"].pop("privacy"), "data:\n  kinds:", "the key 'privacy' is missing", "licences"),
    "missing-key-in-a-row": (lambda c: first(c).pop("owner"), "- id: R1\n", "the key 'owner' is missing", "owner"),
    "wrong-type": (lambda c: first(c).update(threshold="high"), "threshold: high", "threshold is 'high'", ""),
    "threshold-that-is-no-number": (
        lambda c: first(c).update(threshold=float("nan")),
        "threshold: .nan",
        "requirements[0].threshold is nan",
        "",
    ),
    "threshold-that-nothing-fails": (
        lambda c: first(c).update(threshold=float("inf")),
        "threshold: .inf",
        "requirements[0].threshold is inf",
        "",
    ),
    "label-that-is-a-number": (
        lambda c: c["formulation"]["answer"]["labels"][0].update(name=777),
        "name: 777",
        "formulation.answer.labels[0].name is 777",
        "put it in quotes",
    ),
    "label-that-is-no": (
        lambda c: c["formulation"]["answer"]["labels"][0].update(name=False),
        "name: false",
        "formulation.answer.labels[0].name is False",
        "put it in quotes",
    ),
    "decimal-comma": (
        lambda c: first(c).update(threshold="0,92"),
        "threshold: 0,92",
        "requirements[0].threshold is '0,92'",
        "use a point: 0.92",
    ),
    "one-label": (
        lambda c: c["formulation"]["answer"].update(labels=c["formulation"]["answer"]["labels"][:1]),
        "  labels:\n",
        "1 label",
        "",
    ),
    "no-order": (
        lambda c: first(c).update(metric="quadratic_kappa", unit="kappa", operator=">="),
        "metric: quadratic_kappa",
        "names quadratic_kappa, which needs formulation.answer.ordered",
        "ordered: true",
    ),
    "cost-of-steps": (
        lambda c: c["service"]["error_cost"].update(by_distance="squared"),
        "by_distance: squared",
        "costs by distance need labels that are steps",
        "ordered: true",
    ),
    "cost-of-an-unknown-label": (
        lambda c: c["service"]["error_cost"].update(by_label={"nobody": {}}),
        "nobody:",
        "the unknown label 'nobody'",
        "",
    ),
    "cost-of-an-unknown-answer": (
        lambda c: c["service"]["error_cost"].update(by_label={name_of(c, 0): {name_of(c, 1) + "s": 3.25}}),
        ": 3.25",
        "the unknown label",
        "did you mean",
    ),
    "cost-of-what-is-right": (
        lambda c: c["service"]["error_cost"].update(by_label={name_of(c, 0): {name_of(c, 0): 3.25}}),
        ": 3.25",
        "where it is right",
        "take it out",
    ),
    "cost-of-an-unknown-feature": (
        lambda c: c["data"].update(costs={"nothing": 0.25}),
        "nothing: 0.25",
        "the unknown feature 'nothing'",
        "",
    ),
    "negative-cost": (
        lambda c: c["service"]["error_cost"].update(by_label={name_of(c, 0): {name_of(c, 1): -3}}),
        ": -3",
        "is -3",
        "",
    ),
    "id-that-is-no-id": (lambda c: first(c).update(id="first"), "id: first", "'first'", ""),
    "duplicate-id": (
        lambda c: c["requirements"].append({**first(c)}),
        "- id: R1\n",
        "id 'R1' stands 2 times",
        "its own name",
    ),
    "duplicate-label": (
        lambda c: c["formulation"]["answer"]["labels"].extend([{"name": "twice", "definition": "d"}] * 2),
        "- name: twice",
        "label 'twice' stands 2 times",
        "its own name",
    ),
    "duplicate-feature": (
        lambda c: measure(c, name="width"),
        "- name: width",
        "feature 'width' stands 2 times",
        "its own name",
    ),
    "duplicate-kind": (
        lambda c: c["data"]["kinds"].extend([{"name": "twice", "wanted": 0, "scope": "out", "note": "n"}] * 2),
        "- name: twice",
        "kind 'twice' stands 2 times",
        "its own name",
    ),
    "duplicate-licence": (
        lambda c: c["data"].update(licences=["mine", "yours", "mine"]),
        "- mine",
        "licence 'mine' stands 2 times",
        "its own name",
    ),
    "label-without-a-name": (
        lambda c: c["formulation"]["answer"]["labels"][0].update(name=""),
        "name: ''",
        "formulation.answer.labels[0].name is ''",
        "",
    ),
    "slice-without-a-name": (lambda c: c["data"]["slices"][0].update(id=""), "id: ''", "data.slices[0].id is ''", ""),
    "unknown-metric": (
        lambda c: first(c).update(metric="acuracy"),
        "acuracy",
        "R1 names the unknown metric 'acuracy'",
        "'accuracy'",
    ),
    "unknown-slice": (
        lambda c: first(c).update(slice="al"),
        "slice: al\n",
        "R1 names the unknown slice 'al'",
        "'all'",
    ),
    "unknown-operator": (lambda c: first(c).update(operator=">"), "operator: '>'", "requirements[0].operator", ""),
    "operator-of-the-wrong-direction": (
        lambda c: c.update(requirements=[first(c) | {"metric": "accuracy", "operator": "<="}], monitoring=None),
        "operator:",
        "R1 has the operator '<=' for accuracy",
        "use >=",
    ),
    "slice-by-an-unknown-column": (
        lambda c: c["data"]["slices"].append({"id": "s", "column": "kindd", "reason": "r", "equals": "x"}),
        "kindd",
        "slice 's' selects by 'kindd'",
        "'kind'",
    ),
    "slice-by-bounds-of-text": (
        lambda c: c["data"]["slices"].append({"id": "s", "reason": "r", "below": 1.0, "column": "source"}),
        "column: source",
        "slice 's' selects by 'source' in the wrong way",
        "use equals alone",
    ),
    "slice-by-equality-and-bounds": (
        lambda c: c["data"]["slices"].append(
            {"id": "s", "reason": "r", "below": 1.0, "equals": "x", "column": "group"}
        ),
        "column: group",
        "slice 's' selects by 'group' in the wrong way",
        "use equals alone",
    ),
    "slice-by-equality-of-numbers": (
        lambda c: c["data"]["slices"].append(
            {"id": "s", "reason": "r", "equals": "x", "column": c["data"]["slices"][0]["column"]}
        ),
        "column: ",
        "in the wrong way",
        "at_least",
    ),
    "range-of-nothing": (lambda c: measure(c, low=9), "low: 9", "'height' has no value from 9 to 9", "below high"),
    "slice-of-nothing": (
        lambda c: c["data"]["slices"][0].update(at_least=3.5, below=3.5),
        "at_least: 3.5",
        "holds no value from 3.5 to below 3.5",
        "lower than below",
    ),
    "unit-of-another-metric": (
        lambda c: c.update(
            requirements=[first(c) | {"metric": "artefact_kib", "operator": "<=", "threshold": 1, "unit": "MiB"}]
        ),
        "unit: MiB",
        "R1 has the unit 'MiB' for artefact_kib",
        "in KiB",
    ),
    "share-in-percent": (
        lambda c: c.update(requirements=[first(c) | {"metric": "accuracy", "operator": ">=", "threshold": 92}]),
        "threshold: 92",
        "R1 has the threshold 92 for accuracy",
        "such as 0.92",
    ),
    "input-of-an-unknown-type": (
        lambda c: c["formulation"]["input"].update(type="tabel"),
        "type: tabel",
        "there is no inputs module 'tabel'",
        "'table'",
    ),
    "release-by-what-no-model-decides": (
        lambda c: c["release"].update(better_on="records"),
        "better_on: records",
        "release cannot be decided by 'records'",
        "allowed",
    ),
    "slice-without-bounds": (
        lambda c: c["data"]["slices"].append({"id": "unbounded", "column": "kind", "reason": "r"}),
        "- id: unbounded",
        "needs one of at_least, below, equals",
        "",
    ),
    "decision-on-no-requirement": (
        lambda c: c.update(evaluation=[c["evaluation"][0] | {"decides": ["R1", "R999"]}]),
        "  decides:\n",
        "decides 'R999', which is no requirement",
        "did you mean 'R",
    ),
    "start-that-is-no-day": (
        lambda c: c["schedule"].update(start="in spring"),
        "start: in spring",
        "the schedule starts at 'in spring', which is no day",
        "write it as 2026-12-01",
    ),
    "what-cannot-be-drawn": (
        draw,
        "  drawn:\n",
        "what is out of scope cannot be drawn for the input 'table'",
        "take it out",
    ),
    "traffic-that-decides-what-it-does-not-show": (
        lambda c: c["evaluation"][2].update(decides=["R1"]),
        "  decides:\n",
        "online-quantitative decides R1, and traffic does not show",
        "leave R1 to an offline cell",
    ),
    "requirement-that-no-cell-decides": (
        lambda c: c.update(evaluation=[c["evaluation"][0] | {"decides": ["R1"]}]),
        "evaluation:",
        "no cell decides R2",
        "add it to decides",
    ),
}


@pytest.mark.parametrize(("mistake", "mark", "what", "fix"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_line(
    mistake: Callable[[Any], Any], mark: str, what: str, fix: str, written: Any, tmp_path: Path
) -> None:
    mistake(written)
    path = tmp_path / "product.yaml"
    text = yaml.dump(written, Dumper=NoAlias, sort_keys=False, allow_unicode=True, width=1000)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(errors.UserError) as caught:
        contract.load(path)
    assert what in caught.value.what
    assert caught.value.where.startswith(f"{path}:{line_of(text, mark)}, ")
    assert fix in caught.value.fix


@pytest.mark.parametrize("name", ["label", "votes", "share", "id", "cursor", "rejected", "predicted", "*", "^.+$"])
def test_a_feature_with_a_name_that_is_in_use_is_refused(
    name: str, written: Any, tmp_path: Path, refused: Refused
) -> None:
    measure(written, name=name)
    path = tmp_path / "product.yaml"
    path.write_text(yaml.dump(written, Dumper=NoAlias, sort_keys=False), encoding="utf-8")
    with refused(f"feature '{name}' has", "formulation.input.features[1].name", "choose another name"):
        contract.load(path)


def test_no_feature_has_the_name_of_a_column_that_a_stage_writes(finished: Path, product: Any) -> None:
    payload = {feature.name for feature in product.formulation.input.features} or {"payload", "ink"}
    tables = [set(pl.read_parquet_schema(path)) for path in Path().rglob("*.parquet")]
    beside = set().union(*[columns for columns in tables if columns & payload]) - payload
    assert {"source_label", "label", "votes", "predicted"} <= beside <= contradictions.TAKEN
    # A note stays in data/labels: no table has it beside the columns of a record.
    assert {*records.RECORD, *records.LABEL} - {"note"} <= contradictions.TAKEN


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "service"], ids=["empty", "list", "word"])
def test_a_file_that_is_no_contract_is_refused(text: str, tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "product.yaml"
    path.write_text(text, encoding="utf-8")
    with refused("", str(path)):
        contract.load(path)


def test_a_file_that_is_no_yaml_is_named_with_the_line(root: Path, tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "product.yaml"
    text = (root / "product.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("\ndata:\n", "\ndata: [\n"), encoding="utf-8")
    with refused("not YAML", str(path), "mend the line"):
        contract.load(path)


@pytest.mark.parametrize(
    ("row", "what", "where", "fix"),
    [
        ("  why: schön".encode("latin-1"), "not UTF-8", "product.yaml:2", "save it as UTF-8"),
        (b"  why: \0", "#x0000", "product.yaml", "mend"),
        (b"  why: !!python/name:os.system", "not YAML: could not determine a constructor", "product.yaml:2", "mend"),
        (b"  [a, b]: c", "not YAML: found unhashable key", "product.yaml:2", "mend"),
        (b"  why: 2026-02-31", "not YAML: day", "product.yaml", "mend"),
    ],
    ids=["latin-1", "nul", "python", "list-for-a-key", "no-day"],
)
def test_a_row_that_cannot_be_read_is_named(
    row: bytes, what: str, where: str, fix: str, tmp_path: Path, refused: Refused
) -> None:
    path = tmp_path / "product.yaml"
    path.write_bytes(b"service:\n" + row + b"\n")
    with refused(what, where, fix):
        contract.load(path)


@pytest.mark.parametrize(
    ("bomb", "what"),
    [
        ("\n".join([f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]), "its aliases"),
        ("a1: &a1 [*a1, *a0]", "its aliases"),
        ("a1: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
    ],
    ids=["many", "itself", "deep"],
)
def test_a_file_that_would_never_be_read_is_refused(bomb: str, what: str, project: Path, refused: Refused) -> None:
    for path in (Path("product.yaml"), Path("conf/seed.yaml")):
        path.write_text(f"a0: &a0 [x]\n{bomb}\n", encoding="utf-8")
    Path("conf/config.yaml").write_text("defaults: [seed]\n", encoding="utf-8")
    with refused(what, "product.yaml"):
        contract.load(Path("product.yaml"))
    with refused(what.removeprefix("nested "), "conf"):
        compose.resolve([])


def test_a_key_that_stands_twice_is_refused(root: Path, tmp_path: Path, refused: Refused) -> None:
    text = (root / "product.yaml").read_text(encoding="utf-8")
    other = tmp_path / "product.yaml"
    line = line_of(text, "    in_scope:") if "    in_scope:" in text else line_of(text, "  in_scope:")
    rows = text.splitlines()
    rows.insert(line, rows[line - 1].split(":")[0] + ": something else")
    other.write_text("\n".join(rows), encoding="utf-8")
    with refused("'in_scope' stands twice", f"product.yaml:{line + 1}", f"line {line} "):
        contract.load(other)


def test_a_missing_file_says_where_to_run(tmp_path: Path, refused: Refused) -> None:
    with refused("product.yaml is not there", str(tmp_path), "root"):
        contract.load(tmp_path / "product.yaml")


def test_a_loaded_contract_cannot_be_changed(product: Any) -> None:
    with pytest.raises(ValueError, match="frozen"):
        product.requirements[0].threshold = 0.0


def test_the_command_says_that_nothing_is_wrong(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contract.main()
    said = capsys.readouterr().out
    assert "no mistake" in said
    assert "13 questions are open: cards.made_by, cards.harm," in said
    assert "service." not in said, "the sample answers them"
    assert "guesses" not in said, "nobody drafted it"


def test_the_command_counts_the_guesses_of_a_draft(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Path("product.yaml").open("a", encoding="utf-8") as text:
        text.write("# draft: say who\n# draft: say why\n")
    contract.main()
    assert "product.yaml: 2 guesses of make draft are not settled" in capsys.readouterr().out


@pytest.mark.task("tabular-classification")
def test_a_guide_of_another_product_is_refused(project: Path, product: Any, refused: Refused) -> None:
    guide = Path("docs/2-data/annotation-guide.md")
    text = guide.read_text(encoding="utf-8")
    for name in product.formulation.label_names:
        text = text.replace(name, "···")
    guide.write_text(text, encoding="utf-8")
    named = ", ".join(product.formulation.label_names)
    with refused(f"the annotation guide does not define {named}", "annotation-guide.md"):
        contract.main()


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ("| `left` | it is |\n| `right` | it is |\n", None),
        ("| `left` | it is not `right` |\n", "does not define right"),
        ("| `0` | open to the left |\n| `1` | to the right |\n", "does not define left, right"),
        ("| `left` | - |\n| `right` | - |\n| `7` | a bar |\n", "defines 7, and product.yaml has no such label"),
        ("\nA table of its own.\n\n| column | unit |\n|---|---|\n| `age` | years |\n", "does not define left, right"),
    ],
    ids=["all", "one-left-out", "another-product", "one-too-many", "none"],
)
def test_a_guide_defines_the_labels_of_the_contract_and_no_others(
    rows: str, what: str | None, project: Path, refused: Refused
) -> None:
    text = f"---\nversion: 1.0\n---\n# Guide\n\n| label | it is |\n|---|---|\n{rows}"
    Path("docs/2-data/annotation-guide.md").write_text(text, encoding="utf-8")
    with refused(what, "annotation-guide.md") if what else nullcontext():
        guide.check_labels(["left", "right"])


@pytest.mark.task("tabular-classification")
def test_words_that_are_still_the_samples_are_named(
    project: Path, git: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    git("init", "--quiet")
    git("add", "-A")
    git("commit", "--quiet", "-m", "first")
    contract.main()
    assert "sample's words" not in capsys.readouterr().out
    file = Path("product.yaml")
    text = re.sub(r"(?m)^  users: .*", "  users: Growers", file.read_text(encoding="utf-8"))
    file.write_text(text.replace("name: malignant", "name: ripe"), encoding="utf-8")
    guide = Path("docs/2-data/annotation-guide.md")
    guide.write_text(guide.read_text(encoding="utf-8").replace("malignant", "ripe"), encoding="utf-8")
    contract.main()
    told = capsys.readouterr().out
    assert "still the sample's words, perhaps: service.decision, service.why_now, formulation.in_scope" in told
    assert "service.users" not in told


def test_the_worst_slice_is_not_asked_for_where_there_are_none(
    product: Any,
) -> None:
    none = product.model_copy(update={"data": product.data.model_copy(update={"slices": []})})
    row = product.requirements[0].model_copy(
        update={"metric": "worst_slice_accuracy", "slice": "all", "operator": ">="}
    )
    asked = none.model_copy(update={"requirements": [row]})
    found = [what for _, what, _ in contradictions.strange_requirements(asked)]
    assert f"{row.id} asks for the worst slice, and there are no slices" in found
    with_slices = product.model_copy(update={"requirements": [row]})
    assert not any("worst slice" in what for _, what, _ in contradictions.strange_requirements(with_slices))
