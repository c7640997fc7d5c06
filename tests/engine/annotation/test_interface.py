"""What an annotator sees: every label with its definition and a key of its own, the record, nothing that breaks."""

from typing import Any
from xml.etree import ElementTree

import pytest

from fullstack_ml.annotation import interface
from fullstack_ml.answers import number
from fullstack_ml.answers.label.annotation import CANNOT_KEY

HOSTILE = 'a<b & "c"'


def renamed(product: Any, *names: str) -> Any:
    """Return the contract with labels of these names, which are their definitions too."""
    label = type(product.formulation.answer.labels[0])
    labels = [label(name=name, definition=f"what {name} means") for name in names]
    answer = product.formulation.answer.model_copy(update={"labels": labels})
    return product.model_copy(update={"formulation": product.formulation.model_copy(update={"answer": answer})})


def choices(product: Any) -> list[Any]:
    """Return the choices of the generated interface."""
    return list(ElementTree.fromstring(interface.interface(product)).iter("Choice"))


def test_every_label_and_kind_out_of_scope_is_a_choice_with_its_definition_and_the_last_is_none(product: Any) -> None:
    *named, last = choices(product)
    outside = [kind for kind in product.data.kinds if kind.scope == "out"]
    assert [choice.get("value") for choice in named] == product.formulation.label_names + [
        kind.name for kind in outside
    ]
    told = [*(label.definition for label in product.formulation.answer.labels), *(kind.note for kind in outside)]
    for choice, definition in zip(named, told, strict=True):
        assert definition in str(choice.get("html")).replace("&#39;", "'")
    assert last.get("value") == "cannot be annotated"


def test_no_two_choices_share_a_key(product: Any) -> None:
    names = ["7", "X", "1", *(f"label {i}" for i in range(40))]
    keys = [choice.get("hotkey") for choice in choices(renamed(product, *names)) if choice.get("hotkey")]
    assert keys[:3] == ["7", "2", "1"]
    assert len(keys) == len(set(keys)) > 30
    assert keys[-1] == CANNOT_KEY


def test_labels_are_text_and_never_markup(product: Any) -> None:
    first = choices(renamed(product, HOSTILE, "other"))[0]
    assert first.get("value") == HOSTILE
    assert "a&lt;b" in first.get("html")
    assert "a&lt;b" in interface.instruction(renamed(product, HOSTILE, "other"), "1.0")


@pytest.mark.task("tabular-regression")
def test_a_number_is_typed_in_a_box_that_knows_its_range(product: Any) -> None:
    root = ElementTree.fromstring(interface.interface(product))
    (box,) = root.iter("Number")
    options = product.formulation.answer.options
    assert (float(str(box.get("min"))), float(str(box.get("max")))) == (options["low"], options["high"])
    offered = [(choice.get("value"), choice.get("hotkey")) for choice in root.iter("Choice")]
    assert offered == [("incomplete", "1"), ("cannot be annotated", CANNOT_KEY)]
    said = {"type": "choices", "value": {"choices": ["incomplete"]}}
    assert number.said([said]) == ["incomplete"]
    assert number.suggestion("incomplete") == {"from_name": "none", "to_name": "record", **said}
    assert number.suggestion("7")["value"] == {"number": 7}
    assert f"a number from {options['low']:g} to {options['high']:g}" in interface.instruction(product, "1.0")


def test_only_an_adjudicator_sees_what_was_said(product: Any) -> None:
    assert "$said" in interface.interface(product, adjudication=True)
    assert "$said" not in interface.interface(product)


def test_the_guide_stands_below_the_item_and_its_pictures_in_the_style_sheet(product: Any) -> None:
    """Label Studio takes the addresses of pictures out of HTML."""
    page = '<p>a &lt; b <img src="data:image/png;base64,AAAA" alt="open loop"></p>'
    root = ElementTree.fromstring(interface.interface(product, guide=page))
    (shown,) = [text for text in root.iter("HyperText") if text.get("name") == "guide"]
    assert shown.get("value") == '<p>a &lt; b <span class="shown-1" role="img" aria-label="open loop"></span></p>'
    (style,) = root.iter("Style")
    assert ".shown-1 {" in str(style.text)
    assert "url(data:image/png;base64,AAAA)" in str(style.text)


def test_the_interface_asks_for_what_a_task_carries(product: Any, records: Any) -> None:
    data = interface.shown(records.row(0, named=True), product)
    assert data.pop("id") == records["id"][0]
    for key in data:
        assert f'value="${key}"' in interface.interface(product)
