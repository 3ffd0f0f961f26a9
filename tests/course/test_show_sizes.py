"""The figure over numbers of training images: its axis names every size, and its sentence the ends."""

from course import show

CURVES = {
    "probe": {250: (20.0, 18.0, 22.0), 1000: (30.0, 28.5, 31.5), 16_000: (41.0, 39.0, 43.0)},
    "AP": {1000: (38.0, 36.0, 40.0), 16_000: (65.0, 63.0, 67.0)},  # nothing at 250
}


def test_every_size_is_marked_and_the_sentence_says_the_ends():
    picture = show.sizes(CURVES, "More images", label="recorded, 5 seeds")
    picture.png()
    panel = picture.figure.axes[0]
    assert [text.get_text() for text in panel.get_xticklabels()] == ["250", "1,000", "16,000"]
    assert "250 to 16,000 training images" in picture.alt
    assert "probe from 20 to 41 %" in picture.alt
    assert "AP from 38 to 65 %" in picture.alt


def test_intervals_are_drawn_as_given_and_not_as_half_widths():
    panel = show.sizes({"probe": {250: (20.0, 13.0, 22.0), 1000: (30.0, 28.5, 31.5)}}, "One").figure.axes[0]
    segments = [segment for each in panel.collections for segment in each.get_segments()]
    assert [(round(low, 6), round(high, 6)) for (_, low), (_, high) in segments] == [(13, 22), (28.5, 31.5)]
