"""Methods: the shared encoder, and what each loss is made of."""

import pytest
import torch

from emargin.encoders import FrameEncoder
from emargin.losses import emargin_loss, emargin_released, info_nce
from emargin.methods import METHODS
from emargin.pseudo_labels import pseudo_labels
from emargin.training import build


@pytest.mark.parametrize(("features", "parameters"), [(156, 50176), (90, 41728), (252, 62464), (1502, 222464)])
def test_encoder_has_the_papers_number_of_parameters(features, parameters):
    assert sum(p.numel() for p in FrameEncoder(features).parameters()) == parameters == 128 * features + 30208


def test_an_embedding_depends_on_its_own_frame_alone():
    encoder = FrameEncoder(6).eval()
    frames = torch.randn(2, 9, 6, generator=torch.Generator().manual_seed(0))
    others = frames.clone()
    others[:, torch.arange(9) != 4] = 7.0
    assert torch.equal(encoder(frames)[:, 4], encoder(others)[:, 4])
    assert encoder(frames).shape == (2, 9, 320)
    assert (encoder(frames) >= 0).all()


def test_encoder_equals_convolutions_of_kernel_one():
    encoder = FrameEncoder(6).eval()
    frames = torch.randn(2, 9, 6, generator=torch.Generator().manual_seed(0))
    hidden = frames.mT
    for linear, norm in ((0, 1), (3, 4), (6, 7)):
        layer = encoder.blocks[linear]
        hidden = torch.nn.functional.conv1d(hidden, layer.weight[:, :, None], layer.bias)
        hidden = encoder.blocks[norm](hidden).relu()
    torch.testing.assert_close(encoder(frames), hidden.mT)


def loss_of(experiment, batch):
    method = build(experiment, batch.shape[-1]).train()
    value, measured = method.loss(batch, torch.Generator())
    method = build(experiment, batch.shape[-1]).train()
    return value, measured, method.encoder(batch)


BATCH = torch.randn(3, 10, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("fidelity", "sides", "scope"), [("released", 2, "flattened"), ("original", 1, "sequence")])
def test_infonce(small, fidelity, sides, scope):
    value, _, embedding = loss_of(small(method="infonce", fidelity=fidelity), BATCH)
    assert value.item() == info_nce(embedding, temperature=0.5, sides=sides, scope=scope).item()


@pytest.mark.parametrize("labels", ["released", "paper"])
def test_emargin_released(small, labels):
    value, measured, embedding = loss_of(small(labels=labels), BATCH)
    y = pseudo_labels(BATCH.flatten(0, 1), threshold=0.4, rule=labels)
    expected, _ = emargin_released(embedding, y, temperature=0.5, margin=5.0)
    assert value.item() == expected.item()
    assert (measured["label_share"] == 1) == (labels == "released")


@pytest.mark.parametrize("reading", ["anchor", "pair", "all-pairs"])
def test_emargin_original(small, reading):
    value, _, embedding = loss_of(small(fidelity="original", reading=reading), BATCH)
    y = pseudo_labels(BATCH, threshold=0.4)
    expected = emargin_loss(embedding, y, temperature=0.5, margin=5.0, reading=reading, frames=BATCH, threshold=0.4)
    assert value.item() == expected.item()


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_title_and_one_line(name):
    assert METHODS[name].title
    assert "\n" not in METHODS[name].summary
