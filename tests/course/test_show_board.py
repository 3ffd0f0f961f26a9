"""The board of differences: brackets where an interval holds zero, and counts in its sentence."""

from course.show.board import board
from vpcore.statistics import Interval


def test_the_board_counts_verdicts_and_brackets_what_cannot_be_told() -> None:
    rows = {
        "pad": {"digits": Interval(4.0, 1.0, 7.0), "usps": Interval(1.0, -1.0, 3.0)},
        "AP": {"digits": Interval(-40.0, -44.0, -36.0), "usps": Interval(2.0, 0.5, 3.5)},
    }
    shown = board({"toy": rows}, "Difference to the probe", label="recorded")
    assert shown.alt == (
        "Difference to the probe, one row a method and one column a data set. toy: 2 of 4 above the baseline, 1 below, "
        "1 cannot be told. Recorded."
    )
    panel = shown.figure.axes[0]
    assert [text.get_text() for text in panel.texts] == ["+4", "(+1)", "−40", "+2"]
    assert shown.png().startswith(b"\x89PNG")


def test_a_column_that_a_panel_lacks_is_a_dash() -> None:
    some = {"pad": {"digits": Interval(4.0, 1.0, 7.0)}}
    more = {"pad": {"digits": Interval(4.0, 1.0, 7.0), "usps": Interval(1.0, -1.0, 3.0)}}
    shown = board({"one": some, "two": more}, "Toy")
    assert [text.get_text() for text in shown.figure.axes[0].texts] == ["+4", "–"]
    assert "one: 1 of 1 above" in shown.alt
