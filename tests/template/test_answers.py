"""Good and hostile answers: what is accepted comes back unchanged, what is refused leaves nothing behind."""

import ast
import json
import re
import runpy
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cookiecutter.generate import generate_context, is_copy_only_path
from cookiecutter.prompt import prompt_for_config
from cookiecutter.utils import create_env_with_context

from conftest import ROOT, Bake, Generate

SETTINGS: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
QUESTIONS = [name for name in SETTINGS if not name.startswith("_")]
CHOICES = [(name, choice) for name in QUESTIONS if isinstance(SETTINGS[name], list) for choice in SETTINGS[name]]
JINJA_LEFT = re.compile(r"\{[{%#][^}]*cookiecutter")

# Legal in a name, an author and a description. `{{` is absent: with --no-input cookiecutter renders it.
HOSTILE = {
    "single-quote": "O'Brien's",
    "double-quote": 'the "best" one',
    "three-single-quotes": "a ''' b",
    "three-double-quotes": 'a """ b',
    "python-injection": "a''') ; open('pwned', 'w') ; ('''b",
    "python-injection-double": 'a""") ; open("pwned", "w") ; ("""b',
    "backslashes": r"C:\new\table \u0041 \x41 \\ \" \'",
    "trailing-backslash": "ends in \\",
    "trailing-quote": 'ends in "',
    "command-substitution": "$(touch pwned) and ${HOME} $$ $1",
    "backticks": "`touch pwned` b",
    "shell-operators": "a; touch pwned && b | c > d < e & f",
    "percent": "100 %(name)s %d %",
    "hash": "C# # no comment",
    "colon": "key: value: other",
    "braces": "{a: [b, c]} } ] )",
    "yaml-tag": "!!python/object:os.system a",
    "yaml-anchor": "*anchor &b",
    "leading-dash": "-x --help",
    "leading-at": "@team",
    "number": "123",
    "yes": "true",
    "nothing": "null",
    "padded": "  a  b  ",
    "html": "<script>alert(1)</script> &amp;",
    "hangul": "잎사귀 감별기",
    "hangul-decomposed": "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "emoji": "🌿 👩\u200d🔬 ❤\ufe0f 🇰🇷 🫨",
    "persian": "\u0646\u0631\u0645\u200c\u0641\u0632\u0627",
    "long": "very " * 60 + "long",
}
EVERYTHING = " ".join(HOSTILE.values())

Refusal = Callable[..., str | None]


def final_answers(**given: object) -> dict[str, Any]:
    """Derive the answers as cookiecutter does with --no-input, without generating anything."""
    context = generate_context(str(ROOT / "cookiecutter.json"), extra_context=given)
    return dict(prompt_for_config(context, no_input=True))


@pytest.fixture
def refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refusal:
    """Ask the hook itself, rendered as cookiecutter renders it, for its first complaint."""
    source = (ROOT / "hooks" / "pre_gen_project.py").read_text(encoding="utf-8")
    script, project = tmp_path / "hook.py", tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)

    def ask(**given: object) -> str | None:
        context = {"cookiecutter": final_answers(**given)}
        rendered = create_env_with_context(context).from_string(source).render(**context)
        script.write_text(rendered, encoding="utf-8")
        hook = runpy.run_path(str(script))
        complaints = (validate(hook["ANSWERS"]) for validate in hook["VALIDATORS"])
        return next((complaint for complaint in complaints if complaint), None)

    return ask


def parse(path: Path) -> object:
    """Read a file with the parser of its kind; raise where that parser would."""
    text = path.read_text(encoding="utf-8")
    match path.suffix:
        case ".toml":
            return tomllib.loads(text)
        case ".yaml" | ".yml":
            return yaml.safe_load(text)
        case ".json":
            return json.loads(text)
        case ".py":
            return ast.parse(text)
    return None


def broken_files(project: Path) -> dict[str, str]:
    """Map every file that cannot be parsed to the reason."""
    broken = {}
    for path in filter(Path.is_file, project.rglob("*")):
        try:
            parse(path)
        except UnicodeDecodeError:
            continue  # a picture, a model
        except (ValueError, SyntaxError, yaml.YAMLError) as error:
            broken[str(path.relative_to(project))] = str(error)
    return broken


def stated(project: Path) -> dict[str, str]:
    """Read the answers back from where the tools of a product read them."""
    metadata = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    contract = yaml.safe_load((project / "product.yaml").read_text(encoding="utf-8"))
    return {
        "project_name": contract["service"]["name"],
        "description": metadata["description"],
        "author_name": metadata["authors"][0]["name"],
    }


# --- the questions ------------------------------------------------------------------------------------------


def test_questions_are_few_and_in_order() -> None:
    names = "project_name project_slug description author_name author_email task parts language license python_version"
    assert names.split() == QUESTIONS


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_is_worded(question: str) -> None:
    words = SETTINGS["__prompts__"][question]
    assert (words["__prompt__"] if isinstance(words, dict) else words).strip()


@pytest.mark.parametrize(("question", "choice"), CHOICES)
def test_every_choice_is_worded(question: str, choice: str) -> None:
    assert SETTINGS["__prompts__"][question][choice].strip()


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Leaf Doctor", "leaf-doctor"),
        ("  Leaf -- Doctor!  ", "leaf-doctor"),
        ("잎사귀 감별기", "ipsagwi-gambyeolgi"),
        ("🌿", "my-product"),
        ("3D Scans", "product-3d-scans"),
        ("2024", "product-2024"),
        ("word " * 40, "word-word-word-word-word-word-wo"),
        ("9" * 80, "product-" + "9" * 32),
    ],
    ids=["plain", "messy", "hangul", "emoji", "digit-first", "number", "long", "long-number"],
)
def test_the_derived_slug_is_usable(name: str, slug: str, refusal: Refusal) -> None:
    answers = final_answers(project_name=name)
    assert (answers["project_slug"], answers["__package"]) == (slug, slug.replace("-", "_"))
    assert refusal(project_name=name) is None


# --- accepted -----------------------------------------------------------------------------------------------


def test_defaults_are_accepted(refusal: Refusal) -> None:
    assert refusal() is None


@pytest.mark.parametrize("text", [*HOSTILE.values(), EVERYTHING], ids=[*HOSTILE, "everything"])
def test_hostile_text_comes_back_exactly(text: str, bake: Bake) -> None:
    given = {"project_name": text, "description": text, "author_name": text}
    project = bake(**given)
    assert broken_files(project) == {}
    assert stated(project) == given
    assert not list(project.parent.rglob("pwned")), "an answer ran as code"


@pytest.mark.parametrize("task", SETTINGS["task"])
def test_a_project_is_whole(task: str, bake: Bake) -> None:
    project = bake(task=task, project_slug="leaf-doctor", project_name=EVERYTHING)
    assert project.name == "leaf-doctor"
    assert (project / "src" / "leaf_doctor" / "__init__.py").is_file()
    assert broken_files(project) == {}
    paths = [str(path.relative_to(project)) for path in project.rglob("*")]
    assert [path for path in paths if "{{" in path or "_overlays" in path or "cookiecutter" in path] == []


@pytest.mark.parametrize("task", SETTINGS["task"])
def test_no_jinja_is_left(task: str, bake: Bake) -> None:
    project = bake(task=task)
    files = [path for path in project.rglob("*") if path.is_file()]
    texts = {path: path.read_text(encoding="utf-8", errors="ignore") for path in files}
    assert [path for path, text in texts.items() if JINJA_LEFT.search(text)] == []


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_the_lowest_python_is_stated(version: str, bake: Bake) -> None:
    metadata = tomllib.loads((bake(python_version=version) / "pyproject.toml").read_text(encoding="utf-8"))
    assert metadata["project"]["requires-python"].startswith(f">={version}")


def test_a_number_in_a_file_of_answers_is_an_answer_and_keeps_those_after_it() -> None:
    given = yaml.safe_load("{python_version: 3.12, project_name: 2048, author_name: Kim}")
    context = generate_context(str(ROOT / "cookiecutter.json"), default_context=given)
    answers = prompt_for_config(context, no_input=True)
    assert [answers[name] for name in given] == ["3.12", "2048", "Kim"]


@pytest.mark.parametrize("version", [3.1, "3.10", "3"])  # 3.10 as a number is 3.1
def test_a_python_that_is_not_tested_is_refused(version: object, refusal: Refusal) -> None:
    assert "Choose one of 3.11, 3.12, 3.13." in (refusal(python_version=version) or "")


@pytest.mark.parametrize(
    "email",
    [
        "you@example.com",
        "min-seo.kim+ml@sub.example.co.kr",
        "o'brien@example.ie",
        "김@예시.한국",
        "a_b%c@x-y.io",
    ],
)
def test_addresses_are_accepted(email: str, refusal: Refusal) -> None:
    assert refusal(author_email=email) is None


@pytest.mark.parametrize("slug", ["a", "x1", "leaf-doctor-2", "a" * 40, "data-product", "iot"])
def test_slugs_are_accepted(slug: str, refusal: Refusal) -> None:
    assert refusal(project_slug=slug) is None


# --- typed answers ------------------------------------------------------------------------------------------


def test_enter_on_every_question_gives_the_defaults(bake: Bake, generate: Generate) -> None:
    run = generate(typed="\n" * len(QUESTIONS))
    assert run.code == 0, run.stderr
    project = bake()
    expected = sorted(path.relative_to(project.parent) for path in project.rglob("*") if path.is_file())
    assert run.files == expected


def test_a_typed_answer_is_never_rendered(generate: Generate) -> None:
    typed = "{{ 7 * 7 }} [bold]x[/] ''' \\"
    run = generate(typed=f"{typed}\nleaf-doctor\n" + "\n" * 8)
    assert run.code == 0, run.stderr
    assert stated(run.folder / "leaf-doctor")["project_name"] == typed


# --- refused ------------------------------------------------------------------------------------------------

BAD_SLUGS = {
    "empty": "",
    "upper-case": "Leaf",
    "leading-digit": "3d",
    "underscore": "leaf_doctor",
    "space": "leaf doctor",
    "two-hyphens": "leaf--doctor",
    "leading-hyphen": "-leaf",
    "trailing-hyphen": "leaf-",
    "newline-at-the-end": "leaf\n",
    "hangul": "잎",
    "quote": "leaf'",
    "tilde": "~",
    "parent": "../leaf",
    "absolute": "/leaf",
    "nested": "leaf/doctor",
    "windows-path": "leaf\\doctor",
    "too-long": "a" * 41,
    "hidden": ".git",
}
TAKEN = {
    "keyword": "class",
    "soft-keyword": "match",
    "stdlib": "json",
    "stdlib-with-hyphen": "concurrent",
    "stdlib-of-older-pythons": "imp",
    "stdlib-of-newer-pythons": "annotationlib",
    "windows-device": "com1",
    **{name: name for name in ("dvc", "mlflow", "hydra", "hydra-core", "sklearn", "scikit-learn", "pil")},
    **{name: name for name in ("label-studio", "onnx", "tests", "src", "conf", "docs", "data", "setup")},
}
UNPRINTABLE = {
    "newline": "a\nb",
    "tab": "a\tb",
    "escape": "a\x1b[31mb",
    "delete": "a\x7fb",
    "next-line": "a\x85b",
    "line-separator": "a\u2028b",
    "paragraph-separator": "a\u2029b",
    "bidi-override": "a\u202eb",
    "bidi-isolate": "a\u2066b",
    "byte-order-mark": "a\ufeffb",
    "zero-width-space": "a\u200bb",
    "soft-hyphen": "a\u00adb",
    "half-character": "a\udcffb",
    "no-character": "a\ufffeb",
}
EMPTY = {
    "empty": "",
    "spaces": "   ",
    "wide-spaces": "\u3000\u00a0",
    "joiners": "\u200d\ufe0f",
    "config-null": None,
}
BAD_EMAILS = {
    "empty": "",
    "no-at": "example.com",
    "two-ats": "a@b@example.com",
    "no-domain": "you@",
    "no-dot": "you@localhost",
    "dot-dot": "you@example..com",
    "space": "you @example.com",
    "named": "You <you@example.com>",
    "quote": 'you"@example.com',
    "backslash": "you\\@example.com",
    "leading-dash": "-x@example.com",
    "shell": "$(id)@example.com",
    "newline": "you@example.com\n",
    "very-long": "a@" + "b" * 300 + ".com",
}
GIT_DROPS = {"dots": "...", "quotes": "'\"", "brackets": "<>", "backslash": "\\", "mixed": " .,:;<>\"\\' "}


def cases() -> list[Any]:
    """Every refused answer with the question that it stands in."""
    texts = ("project_name", "description", "author_name")
    groups = [
        *(("project_slug", group) for group in (BAD_SLUGS, TAKEN)),
        *((text, group) for text in texts for group in (UNPRINTABLE, EMPTY)),
        ("author_email", BAD_EMAILS),
        ("author_name", GIT_DROPS),
        ("__package", {"path": "../../x", "other": "leaf"}),
    ]
    return [
        pytest.param(question, value, id=f"{question}-{name}")
        for question, group in groups
        for name, value in group.items()
    ]


@pytest.mark.parametrize(("question", "value"), cases())
def test_a_refusal_is_three_lines_with_a_valid_example(question: str, value: str, refusal: Refusal) -> None:
    message = refusal(**{"project_slug": "leaf-doctor", question: value})
    assert message, "accepted"
    what, rule, example = message.split("\n")
    assert what.startswith(f"{question} is {repr(value)[:40]}")
    assert len(rule) > 10
    name, _, valid = example.removeprefix("Example: ").partition("=")
    assert name == question
    assert refusal(**{"project_slug": "leaf-doctor", name: valid}) is None, "the example is refused too"
    assert message.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("project_slug", "Leaf"),
        ("project_slug", "mlflow"),
        ("project_slug", "../evil"),
        ("project_slug", "a" * 200),
        ("project_name", "a\x1b[31mb\nc"),
        ("description", "   "),
        ("author_name", "a\udcffb"),
        ("author_name", "'''"),
        ("author_email", "you"),
    ],
    ids=["shape", "taken", "parent", "long", "control", "empty", "half-character", "git-drops", "email"],
)
def test_a_refused_answer_leaves_nothing(question: str, value: str, generate: Generate) -> None:
    run = generate(answers={question: value})
    assert run.code == 1
    lines = run.stderr.splitlines()
    assert len(lines) == 3, run.stderr
    assert lines[0].startswith(f"{question} is ")
    assert list(run.folder.iterdir()) == []
    assert [path.name for path in run.folder.parent.iterdir()] == [run.folder.name]


@pytest.mark.parametrize("slug", ["leaf/doctor", "../leaf/doctor"])
def test_a_nested_slug_writes_no_file(slug: str, generate: Generate) -> None:
    """Cookiecutter makes the folders above the refused one before any hook runs, and leaves them, empty."""
    run = generate(answers={"project_slug": slug})
    assert run.code == 1
    assert "project_slug is" in run.stderr
    assert [path for path in run.folder.parent.rglob("*") if path.is_file() or path.name == "doctor"] == []


@pytest.mark.parametrize(("question", "_choice"), CHOICES[::3])
def test_a_choice_outside_the_list_leaves_nothing(question: str, _choice: str, generate: Generate) -> None:
    run = generate(answers={question: "other"})
    assert run.code != 0
    assert f"choice variable {question}" in run.stderr
    assert list(run.folder.iterdir()) == []


@pytest.mark.parametrize("options", [(), ("--overwrite-if-exists",)], ids=["plain", "overwrite"])
def test_an_existing_folder_is_left_alone(options: tuple[str, ...], generate: Generate) -> None:
    first = generate()
    assert first.code == 0, first.stderr
    project = first.folder / "my-product"
    (project / "src" / "my_product" / "own.py").write_text("OWN = 1\n", encoding="utf-8")
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    again = generate(*options, answers={"license": "Apache-2.0"})
    assert again.code == 1
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before
    assert list(again.folder.iterdir()) == [project]


def test_an_empty_clone_can_be_filled(generate: Generate, tmp_path: Path) -> None:
    clone = tmp_path / "projects" / "my-product" / ".git"
    clone.mkdir(parents=True)
    assert generate("--overwrite-if-exists").code == 0
    assert (clone.parent / "pyproject.toml").is_file()


# --- how answers reach the files ----------------------------------------------------------------------------


@pytest.mark.parametrize("hook", ["pre_gen_project.py", "post_gen_project.py"])
def test_a_hook_holds_one_json_tag(hook: str) -> None:
    source = (ROOT / "hooks" / hook).read_text(encoding="utf-8")
    assert re.findall(r"\{[{%#].*", source) == ['{{ cookiecutter | tojson }}""")']


@pytest.mark.parametrize(
    ("path", "copied"),
    [
        ("src/{{cookiecutter.__package}}", True),
        ("src/{{cookiecutter.__package}}/app.py", True),
        ("_overlays/task/x/src/{{cookiecutter.__package}}", True),
        (".github/workflows/ci.yml", True),
        ("_overlays/task/x/.github/workflows/ci.yml", True),
        ("docs/card.md.j2", True),
        ("edge/index.html", True),
        ("conf/model", True),
        ("docs", True),
        ("tests", True),
        ("conf", False),
        ("conf/config.yaml", False),
        ("_overlays/task/x/docs", False),
        ("_overlays/language/x/docs", True),
        ("_overlays/language/x/README.md", False),
        ("src", False),
        ("_overlays/task/x/src", False),
        (".github", False),
        ("pyproject.toml", False),
        ("_overlays/license/MIT/LICENSE", False),
    ],
)
def test_what_is_copied_as_it_stands(path: str, copied: bool) -> None:
    assert is_copy_only_path(path, {"cookiecutter": SETTINGS}) is copied


@pytest.mark.parametrize("task", SETTINGS["task"])
def test_source_code_is_copied_byte_for_byte(task: str, bake: Bake) -> None:
    template = ROOT / "{{cookiecutter.project_slug}}"
    package = Path("src") / "{{cookiecutter.__package}}"
    baked = bake(task=task) / "src" / "my_product"
    for source in (template / package, template / "_overlays" / "task" / task / package):
        for path in source.rglob("*.py"):
            assert (baked / path.relative_to(source)).read_bytes() == path.read_bytes(), path
