"""An encoder as a file of `torch.export`: alone it gives what `embed` gives."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from companion.export import export
from emargin import Experiment, load, load_encoder, resolve, train
from emargin.encoder_files import write_encoder

ALONE = """
import sys, numpy, torch
frames = torch.from_numpy(numpy.load(sys.argv[1]))
numpy.save(sys.argv[3], torch.export.load(sys.argv[2]).module()(frames).detach().numpy())
assert not [name for name in sys.modules if name.startswith(("emargin", "companion"))]
"""
CASES = [
    {"method": "infonce"},
    {"method": "emargin", "encoder": "context"},
    {"method": "emargin", "encoder": "context-small"},
    {"method": "timedrl"},  # whose `encode` is not its encoder alone
]


def trained(folder, **fields):
    shared = {"dataset": "harth-sim", "quick": True, "iterations": 1, "sequence_length": 40, "batch_size": 2}
    experiment = resolve(Experiment(**shared | fields))
    data = load(experiment)
    write_encoder(folder, experiment, data, *train(experiment, data, progress=False))
    return load_encoder(folder)


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(case.values()))
def test_the_file_gives_what_embed_gives_of_frames_as_they_are(case, tmp_path):
    encoder = trained(tmp_path, **case)
    export(encoder, tmp_path / "encoder.pt2")
    frames = [one[:40] for one in encoder.frames_of(encoder.recordings("harth-sim"))[0][:3]]
    wanted = encoder.embed_frames([one.clone() for one in frames])
    with torch.no_grad():
        found = torch.export.load(tmp_path / "encoder.pt2").module()(torch.stack(frames))
    assert found.shape == (3, 40, wanted.shape[1]) and wanted.abs().max() > 0.1
    torch.testing.assert_close(found.flatten(0, 1), wanted, rtol=1e-5, atol=1e-6)


def test_the_file_of_a_frame_encoder_needs_torch_alone_and_takes_any_length(tmp_path):
    encoder = trained(tmp_path)
    export(encoder, tmp_path / "encoder.pt2")
    frames = encoder.frames_of(encoder.recordings("harth-sim"))[0][0][:90]
    np.save(tmp_path / "frames.npy", frames[None].numpy())
    words = [sys.executable, "-c", ALONE, "frames.npy", "encoder.pt2", "found.npy"]
    subprocess.run(words, cwd=tmp_path, check=True)
    wanted = encoder.embed_frames([frames.clone()]).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "found.npy")[0], wanted, rtol=1e-5, atol=1e-6)
