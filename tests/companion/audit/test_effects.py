"""The effects of the ledger's items in the committed rows."""

import pytest

from companion.audit.effects import effects, values
from companion.audit.ledger import read_ledger
from emargin.errors import InputError
from emargin.methods import METHODS

ITEMS = {item["id"]: item for item in read_ledger()["items"]}
LINE = {"method": "emargin", "fidelity": "released", "labels": "released"}


def test_an_effect_is_a_difference_of_means_by_set():
    found = {effect.metric: effect for effect in effects(ITEMS[1])}
    after, before = (
        values("grid", LINE | {"labels": labels}, "silhouette").groupby("dataset").mean()
        for labels in ("released", "paper")
    )
    change = after - before
    assert (found["silhouette"].least, found["silhouette"].most) == pytest.approx((change.min(), change.max()))
    assert found["silhouette"].sets == tuple(change.index) and found["silhouette"].seeds == 3
    assert list(found) == ["silhouette", "probe"]


def test_a_table_has_its_metric_and_two_metrics_of_one_line_have_theirs():
    assert [effect.metric for effect in effects(ITEMS[45])] == ["silhouette"]
    assert [effect.metric for effect in effects(ITEMS[15])] == ["probe"]
    (effect,) = effects(ITEMS[29])
    weighted, macro = (values("grid", LINE, metric).groupby("dataset").mean() for metric in ("weighted_f1", "macro_f1"))
    assert effect.most == pytest.approx((weighted - macro).max())


def test_an_item_without_a_measurement_has_no_effect():
    assert effects(ITEMS[33]) == []


def test_a_line_that_is_not_there_or_not_one_is_refused():
    with pytest.raises(InputError, match="no row"):
        values("grid", LINE | {"method": "none"}, "silhouette")
    with pytest.raises(InputError, match="some twice a seed"):
        values("grid", {"method": "emargin", "fidelity": "original"}, "silhouette")


@pytest.mark.parametrize("item", ITEMS.values(), ids=lambda item: f"D{item['id']}")
def test_every_item_says_what_it_touches_and_its_measurement_is_in_the_rows(item):
    titles = {method.title.replace("TS2Vec + ", "").replace("InfoNCE + ", "") for method in METHODS.values()}
    assert set(item["tables"]) <= {1, 2} and bool(item["tables"]) == bool(item["rows"])
    assert item["rows"] == ["all"] or set(item["rows"]) <= titles
    assert bool(effects(item)) == ("measured" in item)
    if others := item.get("measured", {}).get("with"):
        assert item["id"] not in others
        mutual = [
            item["id"] in ITEMS[other]["measured"]["with"]
            for other in others
            if "with" in ITEMS[other].get("measured", {})
        ]
        assert all(mutual) or item["id"] == 8, "what is measured together says so on each line"
