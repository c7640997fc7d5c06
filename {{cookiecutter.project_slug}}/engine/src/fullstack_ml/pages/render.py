"""Make a page from a template of a stage: HTML in one style, or Markdown.

A stage keeps its templates in ``templates/`` beside its ``__main__.py``. An HTML page extends ``base.html.j2``, which
has the style sheet and lets the page open without a network. A name that a page uses and nothing defines is an error.
Reads templates; the caller writes the page.
"""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fullstack_ml.pages import provenance
from fullstack_ml.pages.formats import FILTERS
from fullstack_ml.pages.words import language, told, translated

BASE = Path(__file__).parent / "templates"


def environment(folder: Path, escape: bool) -> Environment:
    """Return the environment of the templates in ``folder``; texts of HTML and XML are escaped, of Markdown not."""
    made = Environment(
        loader=FileSystemLoader([folder, BASE]),
        undefined=StrictUndefined,
        autoescape=escape,  # noqa: S701 - Markdown would only be spoilt
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not escape,
        extensions=["jinja2.ext.i18n"],
    )
    made.policies["ext.i18n.trimmed"] = True
    made.filters |= {**FILTERS, "translated": translated, "told": told}
    # What a page is not told otherwise: it says where it comes from at this moment.
    made.globals |= {"language": language(), "provenance": provenance.today}
    made.install_gettext_callables(  # type: ignore[attr-defined]
        translated, lambda one, many, count: translated(one if count == 1 else many), newstyle=True
    )
    return made


def html(folder: Path, template: str, **facts: Any) -> str:
    """Render a page of HTML or XML."""
    return environment(folder, escape=True).get_template(template).render(facts)


def markdown(folder: Path, template: str, **facts: Any) -> str:
    """Render a page of Markdown."""
    return environment(folder, escape=False).get_template(template).render(facts)
