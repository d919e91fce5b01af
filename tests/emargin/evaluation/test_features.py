"""Embeddings of sequences: in evaluation mode, each frame once."""

import torch

from emargin.config import Experiment
from emargin.data.dataset import Sequences
from emargin.evaluation.features import Features, encode
from emargin.training import build


def overlapping():
    """Three sequences of 4 frames, 2 frames apart, on a table of 8; frame 5 unlabelled."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(8, 3, generator=generator)
    return Sequences(frames, torch.tensor([0, 1, 0, 1, 0, -1, 1, 0]), torch.tensor([0, 2, 4]), 4)


def encoded():
    sequences = overlapping()
    method = build(Experiment(method="random"), sequences.frames.shape[1])
    return sequences, method, encode(method.train(), sequences)


def test_flat_keeps_each_labelled_frame_once_in_order():
    frame = torch.tensor([[0, 1, 2], [1, 2, 3]])
    labels = torch.tensor([[4, 5, -1], [5, -1, 7]])
    embedding = frame[..., None].float()
    rows, flat_labels = Features(embedding, labels, frame).flat()
    assert rows.flatten().tolist() == [0, 1, 3] and flat_labels.tolist() == [4, 5, 7]


def test_flat_with_repeats_keeps_frames_as_often_as_the_sequences_hold_them():
    frame = torch.tensor([[0, 1, 2], [1, 2, 3]])
    labels = torch.tensor([[4, 5, -1], [5, -1, 7]])
    rows, flat_labels = Features(frame[..., None].float(), labels, frame).flat(repeats=True)
    assert rows.flatten().tolist() == [0, 1, 1, 3] and flat_labels.tolist() == [4, 5, 5, 7]


def test_encode_matches_frames_labels_and_embeddings():
    sequences, method, features = encoded()
    assert features.embedding.shape == (3, 4, 320)
    assert features.frame.tolist() == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]]
    assert features.labels.tolist() == [[0, 1, 0, 1], [0, 1, 0, -1], [0, -1, 1, 0]]
    with torch.no_grad():
        alone = method.encode(sequences.frames[None])[0]  # the shared encoder looks at one frame at a time
    torch.testing.assert_close(features.embedding, alone[features.frame], rtol=0, atol=1e-6)


def test_encode_leaves_batchnorm_and_gradients_alone():
    _, method, features = encoded()
    statistics = [module.running_mean for module in method.modules() if hasattr(module, "running_mean")]
    assert len(statistics) == 3 and all((mean == 0).all() for mean in statistics)
    assert not features.embedding.requires_grad


def test_a_sequence_longer_than_a_batch_is_encoded_alone(monkeypatch):
    whole = encoded()[2]
    monkeypatch.setattr("emargin.evaluation.features.ENCODE_FRAMES", 1)
    torch.testing.assert_close(encoded()[2].embedding, whole.embedding, rtol=0, atol=1e-6)


def test_the_last_batch_may_be_smaller(monkeypatch):
    whole = encoded()[2]
    monkeypatch.setattr("emargin.evaluation.features.ENCODE_FRAMES", 2 * whole.frame.shape[1])
    assert len(whole.frame) % 2
    torch.testing.assert_close(encoded()[2].embedding, whole.embedding, rtol=0, atol=1e-6)
