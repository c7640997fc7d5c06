"""Pages on a phone, in a real Chromium: whole names and values in the records, and a hint where a table goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chromium import Page, chromium
from fullstack_ml.pages.render import html

NAME, VALUE = "fractal dimension error", "0.006055"
ROW = f"""<tr><td>{NAME}</td><td class="n"><strong>{VALUE}</strong></td><td>ratio</td>
<td><meter value=".5"></meter></td></tr>"""
RECORD = f"""
<div class="cases rows"><figure class="case"><table><tbody>{ROW * 30}</tbody></table>
<figcaption><p><strong>malignant</strong> taken for <strong>benign</strong></p></figcaption></figure></div>
"""
LINE = """<tr><td>R1</td><td>worst_slice_accuracy</td><td class="n">92.1 %, 86.5 to 95.4 %</td>
<td>platform engineer</td></tr>"""
TABLE = f"""
<div class="scroll" tabindex="0"><table><tr><th>id</th><th>metric</th><th class="n">measured</th><th>owner</th></tr>
{LINE * 3}
</table></div>
"""
# Of every leaf that shows something: the name and both edges, and those of the box that cuts it off.
CUT = """
const cut = [];
for (const leaf of document.querySelectorAll(".case td, .case p")) {
  if (leaf.offsetParent === null) continue;
  const own = document.createRange(), box = leaf.closest(".case").getBoundingClientRect();
  own.selectNodeContents(leaf);
  const text = own.getBoundingClientRect();
  if (text.left < box.left || text.right > box.right || text.right > leaf.getBoundingClientRect().right + 1)
    cut.push(leaf.textContent);
}
return cut;
"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as browser:
        browser.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
        yield browser


def show(page: Page, folder: Path, body: str) -> None:
    template = (
        '{% extends "base.html.j2" %}{% block title %}page{% endblock %}{% block body %}' + body + "{% endblock %}"
    )
    (folder / "page.html.j2").write_text(template, encoding="utf-8")
    (folder / "page.html").write_text(html(folder, "page.html.j2"), encoding="utf-8")
    page.open((folder / "page.html").as_uri(), "document.readyState === 'complete'")


@pytest.mark.parametrize("width", [390, 1280])
def test_names_and_values_of_a_record_are_whole(page: Page, tmp_path: Path, width: int) -> None:
    page.call("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=True)
    show(page, tmp_path, RECORD)
    assert page.run(CUT) == []


def test_a_table_that_goes_on_has_low_rows_and_a_shadow(page: Page, tmp_path: Path) -> None:
    page.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
    show(page, tmp_path, TABLE)
    wide, seen, low, shade = page.run("""
        const box = document.querySelector(".scroll"), rows = [...box.querySelectorAll("tr")];
        const heights = rows.map((row) => row.getBoundingClientRect().height);
        return [box.scrollWidth, box.clientWidth, Math.max(...heights), getComputedStyle(box).backgroundAttachment];
    """)
    assert wide > seen
    assert low < 40, "one line each: what is out of sight makes no row tall"
    assert shade == "local, local, scroll, scroll"
