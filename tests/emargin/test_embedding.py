"""An encoder in the reader's hands: what it embeds is what was scored, and what does not fit it is refused."""

import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from companion.__main__ import main
from companion.encoders import pack, unpack
from companion.fetch import convert
from companion.fetch.folder import save_folder
from companion.grid.plan import cell_folder
from emargin import Experiment, load, load_encoder, resolve, train
from emargin.data import protocols
from emargin.data.catalogue import DATASETS, rate_of, settings_of
from emargin.data.loading import load_recordings
from emargin.data.readers import harth, rhythms, sleepedf, sleepeeg
from emargin.embedding import FAR
from emargin.encoder_files import level_of, write_encoder
from emargin.errors import InputError
from emargin.evaluation.features import encode_both
from emargin.state import read_state, save_atomically

RATE = 20
LENGTHS = (433, 300, 257)  # samples: 42, 29 and 24 frames of 20 samples at steps of 10
SETTINGS = {"protocol": "original", "sequence_length": 8, "stride": 5, "batch_size": 4, "iterations": 3}


def recording(draws, samples, factor=1.0, channels=2):
    """A sine and noise: values `(samples, channels)`, and two classes in turn."""
    moments = np.arange(samples)
    labels = moments // 100 % 2
    values = np.sin(moments[:, None] * (1 + np.arange(channels)) / 3) * (1 + labels[:, None])
    return factor * (values + 0.1 * draws.standard_normal(values.shape)), labels


def write_recordings(folder, people=("anna", "bert", "carl", "dora"), *, rate=RATE, lengths=LENGTHS, **how):
    draws = np.random.default_rng(0)
    held = {person: [recording(draws, samples, **how) for samples in lengths] for person in people}
    save_folder(folder, held, classes=["rest", "walk"], sampling_rate=rate)
    return str(folder)


def write_features(folder, width=5):
    draws = np.random.default_rng(0)
    held = {name: (draws.standard_normal((30, width)) + 1, np.arange(30) % 2) for name in "abcd"}
    save_folder(folder, held, classes=["rest", "walk"])
    return str(folder)


def trained(place, **fields):
    """Train an encoder into a folder; return it, and the data set that it was trained on."""
    experiment = resolve(Experiment(**SETTINGS | fields))
    dataset = load(experiment)
    method, curve = train(experiment, dataset, progress=False)
    place.mkdir(exist_ok=True)
    write_encoder(place, experiment, dataset, method, curve)
    return load_encoder(place), dataset


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of recordings, `recordings`, and the folder of a run on them, `run`: never written to."""
    folder = tmp_path_factory.mktemp("made")
    trained(folder / "run", dataset=write_recordings(folder / "recordings"), method="infonce")
    return folder


@pytest.mark.parametrize(
    "fields",
    [
        {"method": "infonce"},
        {"method": "infonce", "encoder": "context-small"},
        {"method": "timedrl", "fidelity": "original"},
        {"method": "emargin", "stride": 8},
        {"method": "random-calibrated"},
    ],
    ids=str,
)
def test_recordings_of_a_side_have_the_embeddings_that_were_scored_bit_for_bit(fields, made, tmp_path):
    encoder, dataset = trained(tmp_path, dataset=str(made / "recordings"), **fields)
    data = encoder.recordings(made / "recordings")
    tested = protocols.test_subjects_of(data, settings_of(encoder.experiment.dataset), 1)
    for is_test, scored in enumerate(encode_both(encoder.method, dataset)):
        people = tuple(each for each in data.recordings if (each.subject in tested) == is_test)
        embedded = encoder.embed(replace(data, recordings=people))
        numbers, first = np.unique(scored.frame.flatten().numpy(), return_index=True)
        assert len(numbers) > 80
        np.testing.assert_array_equal(embedded.embedding[numbers], scored.embedding.flatten(0, 1)[first].numpy())
        np.testing.assert_array_equal(embedded.labels[numbers], scored.labels.flatten()[first].numpy())


@pytest.mark.parametrize("write", [write_recordings, write_features], ids=["signals", "features"])
@pytest.mark.parametrize("method", ["infots", "cost", "timedrl"])
def test_an_encoder_is_loaded_where_its_recordings_are_gone(method, write, tmp_path):
    """What a method asks of the data set when it is built has to follow from the experiment."""
    before, _ = trained(tmp_path / "run", dataset=write(tmp_path / "here"), method=method, fidelity="original")
    shutil.move(tmp_path / "here", tmp_path / "there")
    after = load_encoder(tmp_path / "run")
    frames = torch.randn(2, 8, before.n_features, generator=torch.Generator().manual_seed(0))
    assert torch.equal(before.method.encode(frames), after.method.encode(frames))


def test_every_frame_has_an_embedding_and_a_time(made):
    encoder = load_encoder(made / "run")
    embedded = encoder.embed(made / "recordings")
    assert embedded.recordings[:4] == ("anna_00", "anna_01", "anna_02", "bert_00")
    assert embedded.subjects == tuple(name for name in ("anna", "bert", "carl", "dora") for _ in LENGTHS)
    assert np.bincount(embedded.recording).tolist() == [42, 29, 24] * 4
    assert embedded.embedding.shape == (4 * 95, 320) and embedded.embedding.dtype == np.float32
    assert np.isfinite(embedded.embedding).all() and embedded.embedding.any(1).all()
    np.testing.assert_array_equal(embedded.time[:42], np.arange(42) * 0.5)
    np.testing.assert_array_equal(embedded.time[42:71], np.arange(29) * 0.5)
    assert (embedded.unit, embedded.duration, embedded.classes) == ("s", 1.0, ("rest", "walk"))
    by_hand = [embedded.embedding[embedded.recording == number].mean(0) for number in range(12)]
    np.testing.assert_allclose(embedded.pooled(), by_hand, rtol=1e-5)


def test_short_recordings_are_a_sequence_by_themselves_or_named(made, tmp_path):
    encoder = load_encoder(made / "run")
    name = write_recordings(tmp_path / "short", lengths=(100, 15, 30, 20))
    with pytest.warns(UserWarning, match="shorter than a frame of 20 samples: anna_01, bert_01, carl_01, dora_01"):
        embedded = encoder.embed(name)
    assert np.bincount(embedded.recording).tolist() == [9, 0, 2, 1] * 4
    assert np.isnan(embedded.pooled()[1]).all() and np.isfinite(embedded.pooled()[2]).all()
    with pytest.raises(InputError, match="shorter than a frame of 20 samples"):
        encoder.embed(write_recordings(tmp_path / "shorter", lengths=(15, 16)))


def test_what_an_encoder_embeds_depends_on_its_recording_alone(made):
    encoder = load_encoder(made / "run")
    data = encoder.recordings(made / "recordings")
    whole = encoder.embed(data)
    alone = encoder.embed(replace(data, recordings=data.recordings[4:5]))
    np.testing.assert_allclose(whole.embedding[whole.recording == 4], alone.embedding, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"rate": 21}, "another sampling rate. found: 21 Hz. wanted: 20 Hz"),
        ({"channels": 3}, "another number of channels. found: 3. wanted: 2"),
        ({"factor": 9.81}, "far from those of the training. found: 9.8.* times .* in channel [01]. wanted: 0.17 to 6"),
        ({"factor": 1e-3}, "far from those of the training. found: 0.00"),
    ],
    ids=str,
)
def test_recordings_that_an_encoder_was_not_trained_for_are_refused(how, message, made, tmp_path):
    encoder = load_encoder(made / "run")
    with pytest.raises(InputError, match=message):
        encoder.embed(write_recordings(tmp_path / "others", **how))


def test_a_rate_or_level_that_is_near_is_taken_and_any_level_on_demand(made, tmp_path):
    encoder = load_encoder(made / "run")
    assert FAR == 6
    for number, how in enumerate(({"rate": 20.1}, {"factor": 5}, {"factor": 0.2})):
        encoder.embed(write_recordings(tmp_path / str(number), **how))
    millivolts = write_recordings(tmp_path / "mV", factor=1000)
    with pytest.raises(InputError, match="take any level"):
        encoder.embed(millivolts)
    assert len(encoder.embed(millivolts, any_level=True).embedding) == 4 * 95


def test_the_level_of_the_training_is_that_of_its_frames_before_they_were_standardised(made):
    encoder = load_encoder(made / "run")
    data = encoder.recordings(made / "recordings")
    tested = protocols.test_subjects_of(data, settings_of(encoder.experiment.dataset), 1)
    people = tuple(each for each in data.recordings if each.subject not in tested)
    frames = torch.cat(encoder.frames_of(replace(data, recordings=people))[0]).double()
    wanted = frames.view(len(frames), 2, 11).square().mean((0, 2)).sqrt()
    np.testing.assert_allclose(encoder.level, wanted, rtol=1e-5)


def test_a_level_is_the_same_however_the_frames_were_standardised():
    frames = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)) + 2
    mean, std = torch.arange(6.0), torch.arange(1.0, 7.0)
    np.testing.assert_allclose(level_of((frames - mean) / std, 3, (mean, std)), level_of(frames, 3), rtol=1e-5)


def test_values_that_are_not_finite_are_refused(made, tmp_path):
    folder = write_recordings(tmp_path / "damaged")
    with np.load(f"{folder}/anna.npz") as archive:
        arrays = dict(archive)
    arrays["signal_00"][7, 1] = np.nan
    np.savez(f"{folder}/anna.npz", **arrays)
    with pytest.raises(InputError, match="1 samples are not finite. found: nan at sample 7, channel 1"):
        load_encoder(made / "run").embed(folder)


def test_ready_made_frames_and_signals_do_not_stand_for_each_other(made, tmp_path):
    features = write_features(tmp_path / "features")
    encoder, _ = trained(tmp_path / "run", dataset=features, method="infonce")
    embedded = encoder.embed(features)
    assert (embedded.unit, embedded.duration) == ("frames", 1.0)
    np.testing.assert_array_equal(embedded.time[:30], np.arange(30))
    with pytest.raises(InputError, match="another kind. found: signals. wanted: ready-made frames"):
        encoder.embed(made / "recordings")
    with pytest.raises(InputError, match="another kind. found: ready-made frames. wanted: signals"):
        load_encoder(made / "run").embed(features)
    with pytest.raises(InputError, match="another number of features a frame. found: 4. wanted: 5"):
        encoder.embed(write_features(tmp_path / "fewer", 4))


@pytest.mark.parametrize("dataset", ["sleepeeg-paper-sim", "ecg-released-sim"])
def test_a_set_gives_its_recordings_in_the_geometry_of_the_training(dataset, tmp_path):
    fields = {"quick": True, "sequence_length": 20, "stride": 20}
    encoder, data = trained(tmp_path, dataset=dataset, method="infonce", **fields)
    plain = dataset.replace("-paper", "").replace("-released", "")
    embedded = encoder.embed(plain)
    np.testing.assert_array_equal(embedded.embedding, encoder.embed(dataset).embedding)
    size, step = encoder.framing
    assert encoder.n_features == data.n_features
    np.testing.assert_allclose(embedded.time[:3], np.arange(3) * step / rate_of(dataset))
    assert embedded.duration == pytest.approx(size / rate_of(dataset))


def test_the_data_of_the_training_need_not_be_there(made, tmp_path):
    folder = tmp_path / "gone"
    shutil.copytree(made / "recordings", folder)
    trained(tmp_path / "run", dataset=str(folder), method="infonce")
    shutil.rmtree(folder)
    assert len(load_encoder(tmp_path / "run").embed(made / "recordings").embedding) == 4 * 95


def changed(made, tmp_path, change):
    """Return the folder of a run whose encoder.pt was written otherwise."""
    state = read_state("encoder", made / "run" / "encoder.pt")
    change(state)
    save_atomically(state, tmp_path / "encoder.pt")
    return tmp_path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("input"), "an older version wrote it. found: nothing of them. wanted: format 1"),
        (lambda state: state["input"].update(format=2), "a newer version wrote it. found: format 2.*use that version"),
        (lambda state: state["input"].update(level=None), "frames that its experiment does not make"),
        (lambda state: state["input"].update(level=[1.0]), "contradicts itself. found: 1 channels of 11 features"),
        (lambda state: state["method"].popitem(), "not the weights of infonce"),
    ],
)
def test_a_file_of_another_version_or_that_contradicts_itself_is_refused(change, message, made, tmp_path):
    with pytest.raises(InputError, match=message):
        load_encoder(changed(made, tmp_path, change))


def test_other_code_than_trained_the_encoder_is_said(made, tmp_path):
    folder = changed(made, tmp_path, lambda state: state["origin"].update(code=["a", "b"]))
    with pytest.warns(UserWarning, match="trained by other code than the present"):
        load_encoder(folder)


def test_a_folder_without_an_encoder_and_a_pickle_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"no encoder in .*unpack an archive first"):
        load_encoder(tmp_path)
    (tmp_path / "encoder.pt").write_bytes(pickle.dumps(Path, protocol=2))
    with pytest.raises(InputError, match="cannot be read"):
        load_encoder(tmp_path)


def test_an_encoder_out_of_an_archive_embeds_too(made, tmp_path):
    pack(made, tmp_path / "archive.zip")
    unpack(tmp_path / "archive.zip", tmp_path / "cells")
    encoder = load_encoder(made / "run")
    again = load_encoder(cell_folder(encoder.experiment, tmp_path / "cells"))
    ours, theirs = (each.embed(made / "recordings").embedding for each in (encoder, again))
    np.testing.assert_array_equal(ours, theirs)


def test_the_command_writes_what_python_gives(made, tmp_path, capsys):
    words = ["embed", str(made / "run"), str(made / "recordings"), "--out", str(tmp_path / "new" / "features.npz")]
    assert main(words) == 0
    assert "380 frames of 12 recordings (real data), 320 numbers each" in capsys.readouterr().out
    embedded = load_encoder(made / "run").embed(made / "recordings")
    with np.load(tmp_path / "new" / "features.npz", allow_pickle=False) as written:
        assert set(written) == set(vars(embedded))
        for name in written:
            np.testing.assert_array_equal(written[name], getattr(embedded, name))
    assert main(["embed", str(made / "run"), "no-such-set", "--out", str(tmp_path / "a.npz")]) == 2
    assert "unknown dataset" in capsys.readouterr().err
    assert main(["embed", str(tmp_path), str(made / "recordings"), "--out", str(tmp_path / "a.npz")]) == 2
    assert not (tmp_path / "a.npz").exists()


def test_a_file_of_recordings_without_labels_has_none(made, tmp_path):
    encoder = load_encoder(made / "run")
    data = encoder.recordings(made / "recordings")
    unlabelled = tuple(replace(each, labels=np.full_like(each.labels, -1)) for each in data.recordings)
    encoder.embed(replace(data, recordings=unlabelled)).save(tmp_path / "features.npz")
    assert not {"labels", "classes"} & set(np.load(tmp_path / "features.npz"))


def test_the_catalogue_has_the_rates_of_its_readers_and_simulators():
    for name, entry in DATASETS.items():
        if name.endswith("-sim") and name == entry.recordings:
            data, _ = load_recordings(Experiment(dataset=name, quick=True))
            assert data.sampling_rate == rate_of(name) and data.framed == (rate_of(name) is None)
    rates = {"harth": harth.SAMPLING_RATE, "ecg": rhythms.SAMPLING_RATE, "mitbih": rhythms.SAMPLING_RATE}
    rates |= {"sleepeeg": sleepedf.SAMPLING_RATE, "sleepeeg-paper": sleepeeg.SAMPLING_RATE}
    rates |= {"dsads": convert.DSADS["sampling_rate"], "spsw-har": convert.SPSW["sampling_rate"]}
    assert {name: rate_of(name) for name in rates} == rates
    assert rate_of("mitbih-beats") is rate_of("sleepedf-features") is rate_of("ucr-Adiac") is None


def test_the_rate_of_a_folder_is_its_own(made, tmp_path):
    assert rate_of(str(made / "recordings")) == RATE
    assert rate_of(write_features(tmp_path / "features")) is None
