"""Bad samples: what is found in recordings, what is refused, and what is left when they are left out."""

import numpy as np
import pytest

from companion.fetch.folder import save_folder
from emargin.config import Experiment
from emargin.data.loading import checksum_of, load, load_recordings
from emargin.data.quality import (
    CERTAIN,
    CONSTANT,
    FLAT,
    MISSING,
    NOT_FINITE,
    OVERFLOW,
    SATURATED,
    all_findings,
    bad_samples,
    missing_value_codes,
)
from emargin.data.recordings import Recording, as_they_are
from emargin.errors import InputError
from emargin.experiment import run
from emargin.resolve import resolve

RATE = 50
SMALL = {"n_fft": 10, "hop": 5, "sequence_length": 20, "batch_size": 2, "iterations": 0, "method": "random"}


def signal(samples=1000, seed=0):
    return np.random.default_rng(seed).standard_normal((samples, 2)).astype(np.float32)


def kinds_of(values, rate=RATE):
    """{(channel, kind): (first, count)}"""
    return {(channel, kind): (int(mask.argmax()), int(mask.sum())) for channel, kind, mask in bad_samples(values, rate)}


@pytest.fixture
def people(tmp_path):
    """Return a function that writes recordings of four people, those of the first changed, and returns their folder."""

    def write(change=None, samples=1000, name="people"):
        recordings = {}
        for person in range(4):
            values = signal(samples, person)
            if change and person == 0:
                change(values)
            recordings[f"p{person}"] = values, np.arange(samples) // 100 % 2
        folder = tmp_path / name
        with as_they_are():  # the test writes what a recorder might
            save_folder(folder, recordings, classes=["rest", "walk"], sampling_rate=RATE)
        return str(folder)

    return write


def put(value, start=500, end=520, channel=0):
    def change(values):
        values[start:end, channel] = value

    return change


CODES = [-999, -9999, -99999, 9999, 999.9, 9999.9, -8888, 1e10, 1e20, 1e30, 1e35, -1e31, 9.999e20, 9.969209968386869e36]
CODES += [3.4028234e38, -3.4028235e38, 1.70141e38, 32767, -32768, 65535, 2147483647, -2147483648, 4294967295, 2.0**63]
CODES += [65504, -999.25, -99, 127, 255]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("count", [1, 20])
def test_a_missing_value_code_is_found_where_it_is(code, count):
    values = signal()
    put(code, 500, 500 + count)(values)
    found = kinds_of(values)
    found.pop((0, OVERFLOW), None)
    assert found == {(0, MISSING): (500, count)}


@pytest.mark.parametrize(
    "values",
    [
        np.linspace(-12000, 12000, 1001).round(),  # counts of an analogue-digital converter
        np.append(np.linspace(-6000, 5000, 1000).round(), -9999),
        np.arange(90, 128),
        np.append(np.arange(50, 90), 99),  # percent
        np.array([0.0, 255.0] * 500),
        np.array([0.0, 999.0] * 500),
        np.array([127.0, 128.0] * 500),
        np.linspace(-1, 1, 1000) * 1e25,
        np.linspace(0, 300, 1000) ** 3,
    ],
)
def test_a_number_among_others_of_its_size_is_no_code(values):
    assert missing_value_codes(values.astype(np.float32)) == []


def test_several_codes_in_one_channel_do_not_hide_each_other():
    values = signal()
    put(9999, 10, 20)(values), put(-9999, 100, 110)(values), put(1e20, 200, 210)(values)
    assert kinds_of(values) == {(0, MISSING): (10, 30)}


def test_codes_in_a_channel_that_stands_still_are_codes_beside_a_constant():
    values = signal()
    values[:, 1] = 0
    put(-9999, channel=1)(values)
    assert kinds_of(values) == {(1, MISSING): (500, 20), (1, CONSTANT): (0, 1000)}


def test_what_is_not_finite_is_found_beside_other_damage():
    values = signal()
    put(np.nan, 3, 9)(values), put(np.inf, 20, 21)(values), put(-9999, 30, 33)(values)
    assert kinds_of(values) == {(0, NOT_FINITE): (3, 7), (0, MISSING): (30, 3)}
    assert kinds_of(np.full((50, 1), np.nan, np.float32)) == {(0, NOT_FINITE): (0, 50)}


def test_a_signal_that_stays_at_its_largest_or_smallest_value_for_a_tenth_of_a_second_is_saturated():
    values = np.clip(signal(), -3, 3)
    values[100:110, 0], values[200:209, 0], values[300:325, 1] = 3, 3, -3
    assert kinds_of(values) == {(0, SATURATED): (100, 10), (1, SATURATED): (300, 25)}
    assert kinds_of(values, rate=120) == {(1, SATURATED): (300, 25)}


def test_a_signal_that_stands_still_for_a_second_is_flat():
    values = signal()
    values[100:150, 0], values[300:349, 1] = 0.25, 0.25
    assert kinds_of(values) == {(0, FLAT): (100, 50)}
    assert kinds_of(values, rate=51) == {}
    assert kinds_of(values, rate=1) == {(0, FLAT): (100, 50), (1, FLAT): (300, 49)}
    assert kinds_of(values, rate=None) == {}, "features may stand still"


def test_a_channel_of_few_values_is_a_switch_and_may_stand_still():
    values = signal()
    values[:, 0] = np.arange(1000) // 100 % 2
    assert kinds_of(values) == {}


def test_values_near_the_limit_of_single_precision_are_listed_but_not_certain():
    values = signal()
    values[7, 0] = 2e37
    assert kinds_of(values) == {(0, OVERFLOW): (7, 1)}
    assert not list(bad_samples(values, RATE, CERTAIN))


@pytest.mark.parametrize(
    "value, message",
    [
        (-9999, r"recording p0, channel 0: 20 samples at -9999, a missing-value code, from sample 500 \(10 s\) on\."),
        (1e20, "20 samples at 1e.20, a missing-value code"),
        (np.float32(3.4028234e38), "20 samples at 3.402823e.38, a missing-value code"),
        (np.nan, "recording p0: 20 samples are not finite. found: nan at sample 500, channel 0"),
    ],
)
def test_certain_damage_is_refused_with_recording_channel_time_and_count(people, value, message):
    with pytest.raises(InputError, match=f"{message}.*quality cut, or quality split"):
        load(Experiment(dataset=people(put(value)), **SMALL))


def test_all_further_findings_are_counted(people):
    def change(values):
        put(-9999)(values), put(1e20, 700, 701, channel=1)(values)

    with pytest.raises(InputError, match="20 samples at -9999.*; and 1 further stretches"):
        load(Experiment(dataset=people(change), **SMALL))


@pytest.mark.parametrize("quality", ["cut", "split", "refuse", None])
def test_clean_recordings_come_out_the_same_whatever_the_quality(people, quality):
    folder = people()
    plain, other = load(Experiment(dataset=folder, **SMALL)), load(Experiment(dataset=folder, quality=quality, **SMALL))
    for side in ("train", "test"):
        for part in ("frames", "labels", "starts", "subjects"):
            assert (getattr(getattr(plain, side), part) == getattr(getattr(other, side), part)).all()
    assert other.left_out == (
        {"samples": 0, "of": 4000, "without_sequence": 0, "recordings": {}, "kinds": {}}
        if quality in ("cut", "split")
        else None
    )


@pytest.mark.parametrize("change, kind", [(put(0.5, 400, 460), "flat"), (put(5, 400, 460), "saturated")])
def test_refuse_refuses_also_what_only_may_be_bad(people, change, kind):
    folder = people(change)
    load(Experiment(dataset=folder, **SMALL))
    with pytest.raises(InputError, match=f"60 samples at .*, {kind}, from sample 400"):
        load(Experiment(dataset=folder, quality="refuse", **SMALL))


def recordings_of(folder, quality):
    with pytest.warns(UserWarning, match="samples left out"):
        return load_recordings(Experiment(dataset=folder, quality=quality, **SMALL))[0]


@pytest.mark.parametrize("value", [-9999, np.nan, 0.5])
def test_split_makes_a_recording_of_each_stretch(people, value):
    folder = people(put(value, 500, 560))
    data = recordings_of(folder, "split")
    names = ["p0-01", "p0-02", "p1", "p2", "p3"]
    assert [r.name for r in data.recordings] == names and [r.subject for r in data.recordings[:2]] == ["p0", "p0"]
    np.testing.assert_array_equal(data.recordings[0].values, signal()[:500])
    np.testing.assert_array_equal(data.recordings[1].values, signal()[560:])
    np.testing.assert_array_equal(data.recordings[1].labels, (np.arange(1000) // 100 % 2)[560:])
    assert data.sampling_rate == RATE and not data.framed


@pytest.mark.parametrize("value", [-9999, np.nan, 0.5])
def test_cut_keeps_recordings_whole_as_frames_that_hold_no_bad_sample(people, value):
    from emargin.data.framing import frame_labels, stft_frames

    data = recordings_of(people(put(value, 503, 563)), "cut")
    assert [r.name for r in data.recordings] == ["p0", "p1", "p2", "p3"] and data.framed
    labels, first = np.arange(1000) // 100 % 2, data.recordings[0]
    expected = [stft_frames(part, 10, 5).numpy() for part in (signal()[:503], signal()[563:])]
    np.testing.assert_array_equal(first.values, np.concatenate(expected))
    expected = [frame_labels(part, 10, 5, 2) for part in (labels[:503], labels[563:])]
    np.testing.assert_array_equal(first.labels, np.concatenate(expected))


def test_stretches_shorter_than_a_frame_are_left_out_and_counted(people):
    def change(values):
        put(-9999, 500, 505)(values), put(-9999, 514, 520)(values)

    assert recordings_of(people(change), "split").left_out == {
        "samples": 20,
        "of": 4000,
        "without_sequence": 0,
        "recordings": {"p0": 20},
        "kinds": {MISSING: 11},
    }


@pytest.mark.parametrize(
    "quality, sequence_length, idle",
    [("split", 99, 0), ("split", 100, 1), ("cut", 100, 0), ("cut", 197, 0), ("cut", 198, 1)],
)
def test_a_recording_without_a_sequence_left_is_counted(people, quality, sequence_length, idle):
    experiment = resolve(
        Experiment(
            dataset=people(put(-9999, 500, 502)), quality=quality, **SMALL | {"sequence_length": sequence_length}
        )
    )
    with pytest.warns(UserWarning, match=f"; {idle} of these have no complete sequence left"):
        assert load_recordings(experiment)[0].left_out["without_sequence"] == idle


def test_a_channel_that_stands_still_costs_its_recording_alone(people):
    folder = people(put(2.0, 0, 1000, channel=1))
    with pytest.raises(InputError, match="recording p0: channel 1 is constant. found: 2.0 in all 1000"):
        load(Experiment(dataset=folder, **SMALL))
    data = recordings_of(folder, "cut")
    assert [r.name for r in data.recordings] == ["p1", "p2", "p3"]
    assert data.left_out["recordings"] == {"p0": 1000} and data.left_out["kinds"] == {CONSTANT: 1000}


def test_nothing_left_is_an_error(people, tmp_path):
    save_folder(tmp_path / "one", {"a": (signal(50), np.zeros(50, int))}, classes=["rest"], sampling_rate=RATE)
    values = np.load(tmp_path / "one" / "a.npz")["signal"]
    values[::5] = np.nan
    np.savez(tmp_path / "one" / "a.npz", signal=values, labels=np.zeros(50, int))
    with pytest.raises(InputError, match="data set one: nothing is left"):
        load(Experiment(dataset=str(tmp_path / "one"), quality="split", **SMALL))


def test_the_count_is_in_the_record_of_a_run_and_the_quality_in_its_checksum_and_digest(people):
    folder = people(put(-9999))
    experiment = resolve(Experiment(dataset=folder, quality="cut", **SMALL))
    with pytest.warns(UserWarning, match="people: 20 of 4000 samples left out, in 1 recordings"):
        result = run(experiment, progress=False, metrics=("collapse",))
    assert result.provenance["left_out"]["samples"] == 20 and result.provenance["left_out"]["recordings"] == {"p0": 20}
    assert result.provenance["data"].endswith(", quality cut") and result.provenance["data"] == checksum_of(experiment)
    assert "quality cut" in str(experiment)
    digests = {
        resolve(Experiment(dataset=folder, quality=quality, **SMALL)).digest for quality in (None, "cut", "split")
    }
    assert len(digests) == 3


def test_the_record_of_a_run_that_leaves_nothing_out_says_nothing_of_it(people):
    result = run(Experiment(dataset=people(), **SMALL), progress=False, metrics=("collapse",))
    assert "left_out" not in result.provenance


def test_held_out_people_keep_the_count(people):
    experiment = Experiment(dataset=people(put(-9999)), quality="split", split="validation", **SMALL)
    with pytest.warns(UserWarning, match="left out"):
        assert load(experiment).left_out["samples"] == 20


def test_the_cache_keeps_what_was_left_out_and_tells_the_qualities_apart(people, monkeypatch, tmp_path):
    monkeypatch.setattr("emargin.data.cache.SMALLEST", 0)
    monkeypatch.setenv("EMARGIN_CACHE", str(tmp_path / "cache"))
    folder = people(put(-9999))
    for _ in range(2):
        for quality, sequences in (("cut", 19), ("split", 17)):
            with pytest.warns(UserWarning, match="20 of 4000 samples left out"):
                data = load(Experiment(dataset=folder, quality=quality, stride=10, **SMALL))
            assert data.left_out["recordings"] == {"p0": 20}
            assert (data.train.subjects is not None) and data.checksum.endswith(f"quality {quality}"), sequences
    assert len(list((tmp_path / "cache").iterdir())) == 2
    with pytest.raises(InputError, match="missing-value code"):
        load(Experiment(dataset=folder, **SMALL))


def test_phases_at_random_come_after_bad_samples_are_left_out(people):
    folder = people(put(-9999))
    with pytest.warns(UserWarning, match="left out"):
        data = load_recordings(Experiment(dataset=folder, quality="split", surrogate="phase", **SMALL))[0]
    assert all(np.abs(recording.values).max() < 10 for recording in data.recordings)
    with pytest.warns(UserWarning, match="left out"), pytest.raises(InputError, match="frames have no phases"):
        load_recordings(Experiment(dataset=folder, quality="cut", surrogate="phase", **SMALL))


def test_frames_that_overflow_are_named_before_training(people):
    folder = people(lambda values: np.copyto(values, np.sign(values) * np.float32(3e38)))
    with pytest.raises(InputError, match="recording p0: its frames overflow. found: (inf|nan) in feature"):
        load(Experiment(dataset=folder, **SMALL))


def test_bad_samples_are_let_through_within_a_block_alone():
    values, labels = signal(100), np.zeros(100, dtype=int)
    values[5, 1] = np.nan
    with as_they_are() as notes:
        Recording("a", "a", values, labels)
    assert notes == []
    with pytest.raises(InputError, match="1 samples are not finite"):
        Recording("a", "a", values, labels)


@pytest.mark.parametrize("name", ["ecg-sim", "harth-sim", "sleepeeg-sim", "harth-noise"])
def test_simulated_recordings_hold_nothing_bad(name):
    recordings, _ = load_recordings(Experiment(dataset=name, quick=True))
    assert all_findings(recordings, []) == []
