"""Refuse answers that would make a broken or unsafe project, before any file is written.

Cookiecutter writes the answers into this file. They come in as one JSON text, because an answer pasted bare
into Python source could run as code. The final values are checked: a default derived from another answer, a
value of a user config and one of the command line all pass here.
"""

import json
import keyword
import os
import re
import sys
import unicodedata
from collections.abc import Callable

Answers = dict[str, str]

ANSWERS: Answers = json.loads(r"""{{ cookiecutter | tojson }}""")

EXAMPLES = {
    "project_name": "Leaf Doctor",
    "project_slug": "leaf-doctor",
    "description": "Tells a sick leaf from a healthy one",
    "author_name": "Kim Min-seo",
    "author_email": "minseo@example.com",
    "python_version": "3.12",
}
# A text and no choice: a file of answers says 3.12, a number, which to cookiecutter is none of the choices. It would go
# on with the default, and drop the answers after it.
PYTHONS = ("3.11", "3.12", "3.13")
LONGEST_SLUG = 40
LONGEST_EMAIL = 254
LONGEST_SHOWN = 80
SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
EMAIL = re.compile(r"\w[\w%+'-]*(\.[\w%+'-]+)*@\w([\w-]*\w)?(\.\w([\w-]*\w)?)+")

# Git strips these from both ends of an author's name, and refuses to commit when nothing is left.
DROPPED_BY_GIT = " .,:;<>\"\\'"

# What emoji and Persian are joined with: the only invisible characters that may stand in an answer.
JOINERS = "\u200c\u200d\ufe0e\ufe0f"


def words(text: str) -> frozenset[str]:
    """Hold a long list of names readably, without a quote around each."""
    return frozenset(text.split())


# Windows can hold no folder of these names.
DEVICES = words("con prn aux nul") | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)}

# What other supported Python versions call a keyword or a module of their own.
OTHER_PYTHONS = words(
    """
    aifc annotationlib asynchat asyncore audioop cgi cgitb chunk compression crypt distutils imghdr imp
    lib2to3 mailcap msilib nis nntplib ossaudiodev pipes smtpd sndhdr spwd sunau telnetlib test type uu xdrlib
    """
)

# Libraries and tools that the project stands on or is likely to take up, by the names that are installed and
# imported; then what they bring along; then the folders and files of the project.
TAKEN = words(
    """
    alembic altair bentoml boto3 botocore cleanlab daft datasets docker dvc evidently fairlearn fastapi
    flask git gitpython grpc gunicorn hooks httpx huggingface-hub hydra hydra-core hydra-plugins
    import-linter importlinter jinja2 joblib jupyter krippendorff label-studio lightgbm lightning mapie
    matplotlib mkdocs mlflow mlflow-skinny mypy numpy omegaconf onnx onnxruntime openai opentelemetry
    optuna orjson pandas pil pillow pip plotly polars pre-commit prometheus-client protobuf
    psycopg pyarrow pydantic pydantic-settings pyod pytest pytorch pyyaml ray requests ruamel ruamel-yaml
    ruff s3fs scikit-learn scipy seaborn setuptools shap skl2onnx sklearn skops sqlalchemy starlette
    statsmodels tensorflow torch torchvision transformers uv uvicorn uvloop virtualenv wandb wheel xgboost
    yaml zensical

    aiohttp amqp antlr4 anyio appdirs arrow asyncssh attr attrs billiard blinker cachetools celery certifi
    cffi click cloudpickle colorama colorlog configobj contourpy cookiecutter cryptography cycler
    databricks dateutil dill diskcache distro dotenv dpath dulwich dvclive entrypoints execnet filelock
    flatbuffers flufl fonttools frozenlist fsspec funcy gitdb google grandalf graphene graphql greenlet
    grimp gto h11 httptools huey idna iniconfig itsdangerous jsonschema kiwisolver kombu loguru mako
    markdown markupsafe mdurl ml-dtypes mpl-toolkits multidict narwhals nbformat networkx notebook
    packaging pathspec pkg-resources platformdirs pluggy prettytable propcache psutil public py pyasn1
    pycparser pydantic-core pydot pygit2 pygments pygtrie pylab pyparsing pytest-xdist python-dateutil
    python-dotenv python-slugify pytz rich s3transfer scmrepo semver shortuuid shtab six slugify smmap
    sqlparse sqltrie tabulate threadpoolctl tomlkit tornado tqdm typeguard typer typing-extensions tzdata
    tzlocal urllib3 validate vine voluptuous watchfiles wcwidth websockets werkzeug xdist yarl zc zipp

    annotation build conf conftest data dist docs edge env main mk mlartifacts mlruns modeling models
    monitoring notebooks params product reports scripts serving setup site-packages src tests venv
    """
)

# Every meaning that a package's name may have already; see `package_is_importable`.
MEANINGS: dict[str, frozenset[str]] = {
    "a Python keyword": frozenset({*keyword.kwlist, *keyword.softkwlist}),
    "a module of Python itself": sys.stdlib_module_names | OTHER_PYTHONS,
    "a device name on Windows": DEVICES,
    "a library, a tool or a folder of the project": TAKEN,
}


def wrong(answers: Answers, name: str, rule: str, example: str = "") -> str:
    """Three lines: the answer, the rule, a valid answer. Never a raw control character, never a page."""
    value = repr(answers[name])
    shown = value if len(value) <= LONGEST_SHOWN else f"{value[:LONGEST_SHOWN]}…"
    return f"{name} is {shown}.\n{rule}\nExample: {name}={example or EXAMPLES.get(name, 'the default')}"


def questions(answers: Answers) -> list[str]:
    """Name what a person answers; the private entries are settings and paths of cookiecutter."""
    return [name for name in answers if not name.startswith("_")]


def unprintable(char: str) -> bool:
    """Tell what YAML, TOML or a terminal cannot hold, or what makes a text read differently than it is."""
    hidden = unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and char not in JOINERS
    return hidden or ord(char) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(char) <= 0xFDEF


def folder_is_free(answers: Answers) -> str | None:
    """Keep an existing project whole: only `--overwrite-if-exists` gets here, and it would delete code."""
    if all(entry.name == ".git" for entry in os.scandir()):
        return None
    rule = "A folder of this name holds files already; a project is written into a new or empty one only."
    return wrong(answers, "project_slug", rule)


def answers_are_text(answers: Answers) -> str | None:
    """Catch an empty entry or a yes of a user config, which arrive here as None and True."""
    for name in questions(answers):
        if not isinstance(answers[name], str):
            return wrong(answers, name, "Every answer is a text; put yes, no and null in quotes.")
    return None


def answers_are_printable(answers: Answers) -> str | None:
    """Keep out the one character that breaks, or disguises, every file that the answer is written into."""
    for name in questions(answers):
        for char in filter(unprintable, answers[name]):
            rule = "An answer is one line of visible characters, of any language; this one holds"
            return wrong(answers, name, f"{rule} U+{ord(char):04X}.")
    return None


def texts_are_not_empty(answers: Answers) -> str | None:
    """Ask for what the package's metadata, the title of the README and the licence are made of."""
    for name in ("project_name", "description", "author_name"):
        if not "".join(answers[name].split()).strip(JOINERS):
            return wrong(answers, name, "It must not be empty.")
    return None


def slug_is_plain(answers: Answers) -> str | None:
    """Hold the slug to the strictest rule of all that it names: folder, package, image, registered model."""
    slug = answers["project_slug"]
    if SLUG.fullmatch(slug) and len(slug) <= LONGEST_SLUG:
        return None
    rule = f"Use a-z, 0-9 and single hyphens, a letter first, at most {LONGEST_SLUG} characters."
    return wrong(answers, "project_slug", rule)


def package_follows_slug(answers: Answers) -> str | None:
    """Refuse a derived name that was set by hand: it could point out of the project."""
    package = answers["project_slug"].replace("-", "_")
    if answers["__package"] == package:
        return None
    return wrong(answers, "__package", "It is the project_slug with _ for -; leave it out.", package)


def package_is_importable(answers: Answers) -> str | None:
    """Refuse a package that Python cannot import, or that hides what is imported or run beside it."""
    slug = answers["project_slug"]
    for meaning, names in MEANINGS.items():
        if slug in names or slug.replace("-", "_") in names:
            return wrong(answers, "project_slug", f"This is the name of {meaning}.", f"{slug}-product")
    return None


def author_is_known_to_git(answers: Answers) -> str | None:
    """Make the first commit possible: git drops these characters and wants something left."""
    if answers["author_name"].strip(DROPPED_BY_GIT):
        return None
    return wrong(answers, "author_name", "Git needs more in a name than spaces, quotes and punctuation.")


def email_is_an_address(answers: Answers) -> str | None:
    """Ask for the shape of an address, which package indexes and git want; not whether it exists."""
    email = answers["author_email"]
    if len(email) <= LONGEST_EMAIL and EMAIL.fullmatch(email):
        return None
    return wrong(answers, "author_email", "An address is name@domain.tld, without spaces or brackets.")


def python_is_supported(answers: Answers) -> str | None:
    """Hold the lowest Python to those that the product is tested with."""
    if answers["python_version"] in PYTHONS:
        return None
    return wrong(answers, "python_version", f"Choose one of {', '.join(PYTHONS)}.")


# In this order: each one relies on what those before it let through.
VALIDATORS: tuple[Callable[[Answers], str | None], ...] = (
    folder_is_free,
    answers_are_text,
    answers_are_printable,
    texts_are_not_empty,
    slug_is_plain,
    package_follows_slug,
    package_is_importable,
    author_is_known_to_git,
    email_is_an_address,
    python_is_supported,
)


def main() -> None:
    """Print the first refusal and stop; cookiecutter then removes the folder that it had made."""
    for validate in VALIDATORS:
        refusal = validate(ANSWERS)
        if refusal:
            sys.exit(refusal)


if __name__ == "__main__":
    main()
