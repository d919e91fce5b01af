"""The chart of the margin: what it draws is what the losses do."""

import json

import pytest
import torch

from companion.audit.forces import critical_cosine, force_cases, uniform_similarity
from companion.charts import margin
from emargin.losses.margin import phi, phi_slope, psi, psi_slope
from tests.browser import browser, needs_a_browser, page

FRAMES, TAU, M = 40, 0.5, 3.0  # of a batch, small enough to differentiate
AT = 0.6
CASES = {
    "infonce": ("InfoNCE", ""),
    "anchor": ("original, anchor", "y = {y}"),
    "pair": ("original, pair", "y = {y}"),
    "all-pairs": ("original, all-pairs", "adjacent {y}, others 1"),
    "released": ("released, two-sided", "y = {y}"),
}
MAPS = [("released", psi, psi_slope), ("anchor", phi, phi_slope)]


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    address = page(tmp_path_factory.mktemp("page"), margin.chart())
    with browser(tmp_path_factory.mktemp("profile")) as shown:
        shown.open(address, "document.querySelector('.drawn')")
        yield shown


def drawn(opened, name: str, column: str, **signals) -> dict[str, float]:
    """Return values at the cosine `AT`, by the name of their line, after parameters were set.

    name: of the panel, with the number that Altair adds to it.
    """
    view = "document.querySelector('.live').view"
    for signal, value in signals.items():
        opened.run(f"{view}.signal({json.dumps(signal)}, {json.dumps(value)}) && 1")
    opened.run(f"{view}.runAsync().then(() => 1)")
    items = f"itemsOf({view}, {name!r}).filter(({{datum}}) => Math.abs(datum.s - {AT}) < 1e-6)"
    return dict(opened.run(f"{items}.map(({{datum}}) => [datum[{column!r}], datum.value])"))


@needs_a_browser
@pytest.mark.parametrize(
    ("reading", "function", "derivative"), [("released", psi, psi_slope), ("anchor", phi, phi_slope)]
)
def test_map_and_slope_are_those_of_the_losses(opened, reading, function, derivative):
    s = torch.tensor(AT, dtype=torch.float64)
    for name, exact in (("map_0", function), ("slope_1", derivative)):
        values = drawn(opened, name, "Label", reading=reading, m=M)
        expected = {words: exact(s, y, M).item() for y, words in enumerate(("label 0, alike", "label 1, apart"))}
        assert values == pytest.approx(expected)


@needs_a_browser
@pytest.mark.parametrize("y", [0, 1])
@pytest.mark.parametrize("reading", CASES)
def test_forces_are_the_derivatives_of_the_losses(opened, reading, y):
    name, labels = CASES[reading]
    if (reading, y) == ("all-pairs", 1):
        labels = "y = 1"
    loss = force_cases(FRAMES, TAU, M)[name, labels.format(y=y)]
    s = uniform_similarity(FRAMES, adjacent=AT, background=AT).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(s), s)
    values = drawn(opened, "forces_2", "Pair", reading=reading, label=str(y), m=M, tau=TAU, n=FRAMES)
    total = (gradient.sum() - gradient.diagonal().sum()).item()
    exact = {"abs": 1e-6} if reading != "all-pairs" else {"rel": 1e-3}  # there one negative has another label
    assert sum(values.values()) == pytest.approx(total, **exact)
    if reading != "released":  # where an entry serves both as a positive and as a negative
        assert values["on the positive"] == pytest.approx(gradient.diagonal(1).sum().item())


@needs_a_browser
def test_the_area_begins_where_the_argument_changes_its_sign(opened):
    drawn(opened, "map_0", "Label", reading="released", label="1", m=5, tau=0.05, n=margin.FRAMES)
    edge = "itemsOf(document.querySelector('.live').view, 'argument_3').map(({datum}) => [datum.b, datum.critical])"
    found = {round(b, 2): critical for b, critical in opened.run(edge)}
    exact = critical_cosine(0.6, n=margin.FRAMES, temperature=0.05, margin=5.0)
    assert found[0.6] == pytest.approx(exact, abs=0.002)


@needs_a_browser
def test_the_slider_moves_the_lines(opened):
    before = drawn(opened, "map_0", "Label", reading="anchor", m=5)
    opened.run(
        "(() => { const slider = document.querySelector('.controls input[type=range]'); slider.value = 1;"
        "slider.dispatchEvent(new Event('input', {bubbles: true})) })()"
    )
    after = drawn(opened, "map_0", "Label")
    assert after["label 1, apart"] == pytest.approx((1 - AT) ** 2 / 2) != before["label 1, apart"]


@needs_a_browser
def test_on_a_phone_the_panels_stand_below_each_other_and_none_is_wider_than_the_page(opened):
    width = "document.querySelector('.drawing svg').getBoundingClientRect().width"
    before = opened.run(width)
    opened.ask("Emulation.setDeviceMetricsOverride", width=420, height=900, deviceScaleFactor=1, mobile=False)
    opened.until(f"{width} < {before}")
    assert opened.run(width) <= opened.run("document.querySelector('.drawing').clientWidth")
