"""What stands in a plot stays in it, and shares are in percent."""

import pytest

from fullstack_ml.answers.drawing import beside, figure_of, in_percent


@pytest.mark.parametrize("place", [(0.0, 0.0), (0.24, 0.0), (0.5, 0.5), (1.0, 1.0)])
def test_a_text_beside_a_dot_stays_between_the_sides_of_the_plot(place: tuple[float, float]) -> None:
    figure = figure_of(4.6, 4.2)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1])
    beside(axes, place, "operating point", above=True)
    figure.draw_without_rendering()
    text, box = axes.texts[0].get_window_extent(), axes.get_window_extent()
    assert box.x0 < text.x0
    assert text.x1 < box.x1


def test_shares_are_in_percent() -> None:
    axes = figure_of(4.6, 4.2).add_subplot()
    axes.plot([0, 1], [0, 1])
    in_percent(axes.xaxis)
    assert axes.xaxis.get_major_formatter().format_ticks([0.0, 0.5]) == ["0 %", "50 %"]
