"""The diagram of the losses: all are there, their forces point the right way, and everything lies within its panel."""

import re
from xml.etree import ElementTree

import pytest

from companion.audit.ledger import read_ledger
from companion.figures.losses import HEIGHT, LOSSES, PULL, PUSH, WIDTH, Link, _link, diagram, drawing
from emargin.methods import COMPARED

each_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.title)


def heads(link: Link) -> list[tuple[float, float]]:
    """Return where the arrowheads of a link point, along x: its tip, and its tip less its base."""
    found = []
    for points in re.findall(r'points="([^"]+)"', "".join(_link(link))):
        (tip, *base) = [float(point.split(",")[0]) for point in points.split()]
        found.append((tip, tip - sum(base) / 2))
    return sorted(found)


def test_every_trained_method_has_its_panel():
    titles = {method.title for method in COMPARED.values() if not method.untrained}
    drawn = {loss.title for loss in LOSSES}
    assert len(LOSSES) == len(drawn) == 12
    ours = {title.replace("InfoNCE + ", "").replace("TS2Vec + ", "") for title in titles}
    assert {title.partition(",")[0] for title in drawn} == ours


def test_heads_meet_where_a_pair_is_pulled_and_part_where_it_is_pushed():
    (left, to_right), (right, to_left) = heads(Link((20, 50), (120, 50), PULL))
    assert left < right and to_right > 0 > to_left and right - left < 10
    (left, to_left), (right, to_right) = heads(Link((20, 50), (120, 50), PUSH))
    assert to_left < 0 < to_right and left < 45 < 95 < right


@each_loss
def test_a_drawing_is_whole_and_within_its_panel(loss):
    svg = ElementTree.fromstring(drawing(loss))
    assert svg.get("aria-label").startswith(loss.title)
    for node in svg.iter():
        numbers = []
        if node.tag == "polygon":
            numbers = re.findall(r"[-\d.]+", node.get("points"))
        elif node.tag == "path":
            x0, y0, cx, cy, x1, y1 = map(float, re.findall(r"[-\d.]+", node.get("d")))
            numbers = [x0, y0, (x0 + 2 * cx + x1) / 4, (y0 + 2 * cy + y1) / 4, x1, y1]
        places = list(map(float, numbers))
        assert all(0 <= x <= WIDTH for x in places[::2]) and all(0 <= y <= HEIGHT for y in places[1::2]), numbers
    assert sum(node.tag == "path" for node in svg.iter()) == len(loss.links)


@each_loss
def test_what_is_pushed_is_said(loss):
    pushed = {link.kind for link in loss.links} & {PUSH}
    assert bool(pushed) == bool(re.search(r"pushed|InfoNCE|TS2Vec", loss.words.replace("nothing is pushed", "")))
    items = {item["id"] for item in read_ledger()["items"]}
    assert {int(number) for number in re.findall(r"D(\d+)", loss.released)} <= items


def test_two_losses_push_nothing_and_every_loss_pulls():
    kinds = {loss.title: {link.kind for link in loss.links} for loss in LOSSES}
    assert {title for title, own in kinds.items() if PUSH not in own} == {"eMargin, released", "TimeDRL"}
    assert all(PULL in own for own in kinds.values()) and kinds["eMargin, released"] == {PULL}


def test_colours_come_from_the_page_and_a_force_is_seen_without_colour():
    html = diagram()
    outside = re.sub(r"--(pull|push): #\w+", "", html)
    assert not re.search(r"#[0-9A-Fa-f]{6}", outside), "a colour that does not change with the page"
    assert "stroke-dasharray" in html and html.count("<svg") == len(LOSSES) + 4
