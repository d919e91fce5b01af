"""Tables of the page on speed."""

from companion.figures.speed import by_line


def test_a_line_is_summed_up_over_its_sets():
    rows = [("a", "one", 0.5), ("a", "two", 3.0), ("a", "two", 1.0), ("b", "one", 0.0)]
    found = by_line([dict(zip(("line", "dataset", "deviations"), row, strict=True)) for row in rows])
    assert found.loc["a"].tolist() == ["3", "1.00", "33%", "3.0, two"]
    assert found.index.tolist() == ["a", "b"]
