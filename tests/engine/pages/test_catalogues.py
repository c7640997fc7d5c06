"""Every language has every text of the engine, with the same places for values, and the letters of figures."""

import ast
import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from jinja2 import Environment

from fullstack_ml.answers import drawing, label, labels, number
from fullstack_ml.answers.number import seasons
from fullstack_ml.audit import __main__ as audit
from fullstack_ml.audit import debts, roles, rubric
from fullstack_ml.data.collect.sources import dialect
from fullstack_ml.data.validate import personal
from fullstack_ml.draft import asked, columns, leaks, summary, tables
from fullstack_ml.edge import build
from fullstack_ml.pages import words
from fullstack_ml.product import cards, metrics, types, watching

ENGINE = Path(words.__file__).parents[1]
LANGUAGES = get_args(types.Service.model_fields["language"].annotation)
OTHERS = [language for language in LANGUAGES if language != words.ENGLISH]
# Words that pages take out of reports, one by one.
IN_REPORTS = """
accept, uncertain, unfamiliar, pass, fail, not measurable, not measured, alarm, beyond, accepted, rejected, in, out,
better, worse, open, not-worse, mean, median, last value, most frequent, shares, shown, blind, tie, unsure, old guide,
split label, turned by 90 degrees, turned by 180 degrees, inverted, blurred, noise, shuffled pixels, blank,
blank with dust,
photographs, rows mixed, columns swapped, another unit (x 10), all zero, noise of three deviations, letters shuffled,
keys hit at random, another script, one letter, letters, signs, pairs, open
"""
TYPES = {"BaseModel", "Closed", "TypedDict"}
MARK = re.compile(r"%\((\w+)\)s|%%|%")


def of_templates() -> Iterator[str]:
    """Yield the texts of all templates, as jinja finds them."""
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    environment.policies["ext.i18n.trimmed"] = True
    environment.newstyle_gettext = True  # type: ignore[attr-defined]
    for path in ENGINE.rglob("*.j2"):
        for _, _, found in environment.extract_translations(path.read_text(encoding="utf-8")):  # type: ignore[attr-defined]
            yield from (text for text in (found if isinstance(found, tuple) else (found,)) if isinstance(text, str))


def constants(node: ast.AST) -> list[str]:
    """List the texts of an expression, those of a choice between two among them."""
    if isinstance(node, ast.IfExp):
        return [*constants(node.body), *constants(node.orelse)]
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def of_code() -> Iterator[str]:
    """Yield the texts that Python hands to ``words`` or ``sentence``: as they stand, or by a name of the function."""
    for path in ENGINE.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            nodes = list(ast.walk(function))
            for call in (node for node in nodes if isinstance(node, ast.Call) and node.args):
                named, first = getattr(call.func, "id", ""), call.args[0]
                if named == "map" and getattr(first, "id", "") == "words":
                    yield from (text for one in ast.walk(call.args[1]) for text in constants(one))
                if named not in ("words", "sentence"):
                    continue
                yield from constants(first)
                if isinstance(first, ast.Name):
                    given = (
                        n.value for n in nodes if isinstance(n, ast.Assign) and first.id in map(name_of, n.targets)
                    )
                    yield from (text for value in given for text in constants(value))


def name_of(target: ast.AST) -> str:
    """Return the name that an assignment gives."""
    return str(getattr(target, "id", ""))


def of_tables() -> Iterator[str]:
    """Yield what stands in tables of the engine, and is translated where a page shows it."""
    yield from (word.strip() for word in IN_REPORTS.replace("\n", " ").split(","))
    for rows in (metrics.COMMON, label.METRICS, labels.METRICS, number.METRICS):
        yield from (text for row in rows.values() for text in (row.meaning, row.unit))
    yield from (row.unit for row in watching.WATCHED.values() if row.unit)
    yield from (f"mean of the {season}" for season in seasons.SEASONS)
    yield from rubric.SECTIONS.values()
    yield from (*asked.REASONS.values(), *summary.ALWAYS)
    yield from (columns.NAME_OF_ROW, leaks.KNOWN, tables.BY_TIME, tables.LEFT_OUT)
    yield from (*dialect.SEPARATORS.values(), *personal.PATTERNS)
    yield from (test.says for test in rubric.TESTS)
    yield from (means for _, means in audit.BANDS)
    yield from (text for name, question, *_ in debts.DEBTS for text in (name, question))
    yield from get_args(types.Step)
    chosen = [types.Service.model_fields["kind"], types.Data.model_fields["privacy"], types.Cell.model_fields["cell"]]
    yield from (word for field in chosen for word in get_args(field.annotation))
    yield from (word for part in get_args(types.Serving.model_fields["mode"].annotation) for word in get_args(part))
    yield from cards.OWNERS.values()
    yield cards.PLATFORM_ENGINEER
    yield from (row.unit for row in watching.WATCHED.values() if row.unit)


def of_the_audit() -> Iterator[str]:
    """Yield what the looks of an audit find, and what is next; a command alone is the same in every language."""
    named = {"file": 1, "text": 2, "report": 1, "version": 0, "logged": 1, "tested": 1}
    for path in (ENGINE / "audit").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                place = named.get(str(getattr(node.func, "attr", getattr(node.func, "id", ""))))
                given = [] if place is None or len(node.args) <= place else constants(node.args[place])
                yield from (text for text in given if text and not text.endswith(".py"))
    fixes = [test.fix for test in rubric.TESTS] + [fix for *_, fix in debts.DEBTS]
    yield from (fix for fix in fixes if not re.fullmatch(r"make( [a-z-]+)?( [A-Z]+=\S+)?", fix))
    yield from roles.NOBODY.values()
    yield "the prediction log"


def of_the_lineage() -> Iterator[str]:
    """Yield the titles of the links of a lineage, and the names of their facts, which are written as people write."""
    for path in ((ENGINE / "audit") / name for name in ("chain.py", "lineage.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Link":
                yield from constants(node.args[0])
            if isinstance(node, ast.Tuple) and len(node.elts) == 2 and not isinstance(node.elts[1], ast.Constant):
                yield from (text for text in constants(node.elts[0]) if "_" not in text)


def of_the_api() -> Iterator[str]:
    """Yield what describes the API at ``/docs``: docstrings of routes and of types, and the text of every field."""
    for path in (ENGINE / "serving").glob("*.py"):
        if path.name in ("routes.py", "schema.py", "problem.py"):
            yield from texts_of_types(ast.parse(path.read_text(encoding="utf-8")))
    for path in ENGINE.glob("answers/*/api.py"):
        yield from texts_of_types(ast.parse(path.read_text(encoding="utf-8")))


def texts_of_types(tree: ast.AST) -> Iterator[str]:
    """Yield the docstrings of what FastAPI describes, and every constant ``description``."""
    for node in ast.walk(tree):
        routed = isinstance(node, ast.AsyncFunctionDef) and node.decorator_list
        typed = isinstance(node, ast.ClassDef) and {getattr(base, "id", "") for base in node.bases} & TYPES
        if isinstance(node, ast.AsyncFunctionDef | ast.ClassDef) and (routed or typed):
            yield ast.get_docstring(node) or ""
        if isinstance(node, ast.keyword) and node.arg == "description":
            yield from constants(node.value)


def of_the_page() -> Iterator[str]:
    """Yield the texts that the page of the browser tells."""
    for path in build.PAGE.glob("*.js"):
        yield from build.TOLD.findall(path.read_text(encoding="utf-8"))


KEYS = {*of_templates(), *of_code(), *of_tables(), *of_the_audit(), *of_the_lineage(), *of_the_api(), *of_the_page()}


def marks(text: str) -> list[str]:
    """List the places for values in a text; a percent sign alone is none."""
    return sorted(MARK.findall(text))


@pytest.mark.parametrize("path", sorted(build.PAGE.glob("*.js")), ids=lambda path: path.name)
def test_every_sentence_of_the_page_is_told_in_the_language(path: Path) -> None:
    text = re.sub(r"/\*.*?\*/|//[^\n]*|throw new Error\([^;]*", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert re.findall(r"""["`][^"`\n]*[A-Za-z]{2,} [a-z]{2,}[^"`\n]*["`]""", build.TOLD.sub("", text)) == []


def test_the_texts_are_found() -> None:
    assert {"Requirements", " on %(slice)s", "REJECTED by %(ids)s", "share of records with the right label"} <= KEYS
    assert len(KEYS) > 600


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_every_text_and_no_other(language: str) -> None:
    catalogue = words.catalogue(language)
    assert sorted(KEYS - catalogue.keys()) == []
    assert sorted(catalogue.keys() - KEYS) == []
    assert [key for key, text in catalogue.items() if not str(text).strip()] == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_values_of_its_text(language: str) -> None:
    pairs: dict[str, Any] = words.catalogue(language)
    assert {key: text for key, text in pairs.items() if marks(key) != marks(text)} == {}
    tags = re.compile(r"<[^<>]*>|`[^`]*`|\]\([^)]*\)")
    assert {key: text for key, text in pairs.items() if sorted(tags.findall(key)) != sorted(tags.findall(text))} == {}


@pytest.mark.parametrize("language", OTHERS)
def test_a_figure_has_the_letters_of_every_language(language: str) -> None:
    """A box stands where a font lacks a letter; matplotlib warns of each."""
    letters = sorted({letter for text in words.catalogue(language).values() for letter in text if letter.isalpha()})
    figure = drawing.figure_of(4, 4)
    for place in range(0, len(letters), 40):
        figure.text(0, place / len(letters), "".join(letters[place : place + 40]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO(), format="png")
