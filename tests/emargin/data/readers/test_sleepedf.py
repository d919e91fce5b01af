"""Sleep-EDF's sleep cassette study: on small files in its exact format."""

import datetime
import sys

import numpy as np
import pytest

from emargin.data.readers.sleepedf import load_sleepedf
from emargin.errors import InputError, MissingData

edfio = pytest.importorskip("edfio")

START = datetime.datetime(1989, 4, 24, 16, 13)
MINUTE = 60 * 100  # samples
W, N1, N2, N3, N4, REM = (f"Sleep stage {code}" for code in "W1234R")
MOVEMENT, UNSCORED = "Movement time", "Sleep stage ?"
NIGHT = ((W, 60), (N1, 30), (N2, 30), (W, 30), (REM, 30), (W, 120))  # seconds


def header(start):
    return {"recording": edfio.Recording(startdate=start.date()), "starttime": start.time()}


def write_psg(folder, name="SC4001E0", records=10, start=START, channel="EEG Fpz-Cz", rate=100, unit="uV", flat=False):
    """Records of 30 s with the channels of the real files; returns the EEG in microvolt as it is stored."""
    time = np.arange(records * 30 * rate) / rate
    eeg = 0 * time if flat else 60 * np.sin(2 * np.pi * 0.01 * time) + 20 * np.sin(2 * np.pi * 2 * time)
    signals = [
        edfio.EdfSignal(
            data,
            sampling_frequency=frequency,
            label=label,
            physical_dimension=dimension,
            physical_range=(-192, 192),
            digital_range=(-2048, 2047),
        )
        for data, frequency, label, dimension in (
            (eeg, rate, channel, unit),
            (eeg[::-1], rate, "EEG Pz-Oz", "uV"),
            (eeg / 2, rate, "EOG horizontal", "uV"),
            (np.zeros(records * 30), 1, "Temp rectal", "DegC"),
        )
    ]
    edf = edfio.Edf(signals, data_record_duration=30, **header(start))
    edf.write(folder / f"{name}-PSG.edf")
    return edf.signals[0].data


def write_hypnogram(folder, name="SC4001EC", stages=NIGHT, start=START):
    """Stages one after the other as (text, seconds), or as (onset, seconds, text)."""
    annotations, onset = [], 0
    for stage in stages:
        if len(stage) == 2:
            stage = (onset, stage[1], stage[0])
        annotations.append(edfio.EdfAnnotation(*stage))
        onset = stage[0] + (stage[1] or 0)
    edfio.Edf([], annotations=annotations, **header(start)).write(folder / f"{name}-Hypnogram.edf")


def changes(labels):
    """[(first sample, label), ...] of the runs of equal labels."""
    starts = np.flatnonzero(np.diff(labels, prepend=labels[0] - 1))
    return [(int(start), int(labels[start])) for start in starts]


@pytest.fixture
def night(tmp_path):
    write_psg(tmp_path)
    write_hypnogram(tmp_path)
    return tmp_path


def test_values_are_microvolt_of_fpz_cz_at_100_hz(tmp_path):
    signal = write_psg(tmp_path)
    write_hypnogram(tmp_path)
    nights = load_sleepedf(tmp_path)
    assert (nights.name, nights.source, nights.sampling_rate, nights.framed) == ("sleepeeg", "real", 100.0, False)
    assert nights.classes == ("W", "N1", "N2", "N3", "REM") and nights.test_subjects == ()
    (recording,) = nights.recordings
    assert recording.values.dtype == np.float32 and recording.labels.dtype == np.int64
    np.testing.assert_array_equal(recording.values, signal[:, None].astype(np.float32))
    assert 75 < recording.values.max() < 85


def test_a_stage_holds_from_its_onset_to_its_end_to_the_sample(tmp_path):
    write_psg(tmp_path)
    write_hypnogram(
        tmp_path,
        stages=((W, 30), (N1, 30), (N2, 30), (N3, 30), (N4, 30), (REM, 30), (MOVEMENT, 30), (REM, 30), (UNSCORED, 600)),
    )
    assert changes(load_sleepedf(tmp_path).recordings[0].labels) == [
        (0, 0),
        (3000, 1),
        (6000, 2),
        (9000, 3),
        (15000, 4),
        (18000, -1),
        (21000, 4),
        (24000, -1),
    ]


def test_onsets_between_samples_go_to_the_nearest_and_what_is_not_scored_is_unlabelled(tmp_path):
    write_psg(tmp_path)
    write_hypnogram(tmp_path, stages=((1, 29.004, W), (30.004, 10, N1), (60.006, 30, N2)))
    assert changes(load_sleepedf(tmp_path).recordings[0].labels) == [
        (0, -1),
        (100, 0),
        (3000, 1),
        (4000, -1),
        (6001, 2),
        (9001, -1),
    ]


@pytest.mark.parametrize("border", [59.9, 59.99, 60, 60.01, 60.1])
def test_stages_on_decimal_onsets_meet_within_a_tenth_of_a_second_where_the_next_one_starts(tmp_path, border):
    write_psg(tmp_path)
    write_hypnogram(tmp_path, stages=((0.04, 59.96, N1), (border, 30, N2)))
    first = round(border * 100)
    assert changes(load_sleepedf(tmp_path).recordings[0].labels) == [(0, -1), (4, 1), (first, 2), (first + 3000, -1)]


def test_a_hole_of_more_than_a_tenth_of_a_second_stays_unlabelled(tmp_path):
    write_psg(tmp_path)
    write_hypnogram(tmp_path, stages=((-0.1, 60.1, N1), (60.11, 30, N2)))
    assert changes(load_sleepedf(tmp_path).recordings[0].labels) == [(0, 1), (6000, -1), (6011, 2), (9011, -1)]


def test_the_last_sample_has_its_stage_and_is_kept(tmp_path, recwarn):
    signal = write_psg(tmp_path)
    write_hypnogram(tmp_path, stages=((0, 299.99, W), (299.99, 0.01, REM)))
    (recording,) = load_sleepedf(tmp_path).recordings
    assert changes(recording.labels) == [(0, 0), (29999, 4)] and len(recording.labels) == 30000
    assert recording.values[-1, 0] == np.float32(signal[-1]) and not recwarn.list
    write_hypnogram(tmp_path, stages=((0, 299.99, REM), (299.99, 0.01, UNSCORED)))
    assert changes(load_sleepedf(tmp_path).recordings[0].labels) == [(0, 4), (29999, -1)]


def test_the_last_sample_of_the_half_hour_is_kept(tmp_path):
    write_psg(tmp_path, records=63)
    write_hypnogram(tmp_path, stages=((W, 60), (N1, 0.01), (W, 30 * 60), (UNSCORED, 29.99)))
    assert changes(load_sleepedf(tmp_path).recordings[0].labels) == [(0, 0), (6000, 1), (6001, 0)]
    assert len(load_sleepedf(tmp_path).recordings[0].labels) == 6001 + 30 * MINUTE


def stamp(path, times, kind="EDF+D"):
    """Say in the header of a PSG, and in a signal of annotations that is added to it, when its records start."""
    edf = edfio.read_edf(path)
    edf.add_annotations([edfio.EdfAnnotation(0, None, "note")])
    edf.write(path)
    content = bytearray(path.read_bytes())
    signals, records = int(content[252:256]), int(content[236:244])
    sizes = [2 * int(content[256 + 216 * signals + 8 * n :][:8]) for n in range(signals)]
    assert content[256 + 16 * (signals - 1) :][:15] == b"EDF Annotations"
    content[192:236] = kind.encode().ljust(44)
    for number, time in zip(range(records), times, strict=True):
        end = int(content[184:192]) + sum(sizes) * (number + 1)
        content[end - sizes[-1] : end] = f"+{time:g}\x14\x14\0".encode().ljust(sizes[-1], b"\0")
    path.write_bytes(content)


def test_a_night_in_edf_plus_d_is_cut_at_its_gaps_and_its_stages_count_by_the_clock(tmp_path):
    signal = write_psg(tmp_path)
    stamp(tmp_path / "SC4001E0-PSG.edf", [0, 30, 60, 90, 120, 210, 240, 270.5, 300.5, 330.5])
    write_hypnogram(tmp_path, stages=((W, 150), (UNSCORED, 60), (N2, 60), (REM, 90)))
    with pytest.warns(UserWarning, match=r"nights are cut at their gaps: SC4001E0 \(2\)"):
        recordings = load_sleepedf(tmp_path).recordings
    assert [(r.name, r.subject) for r in recordings] == [(f"SC4001E0-0{n}", "SC400") for n in (1, 2, 3)]
    assert [changes(r.labels) for r in recordings] == [[(0, 0)], [(0, 2)], [(0, 4), (8950, -1)]]
    np.testing.assert_array_equal(np.concatenate([r.values for r in recordings])[:, 0], signal.astype(np.float32))
    assert [len(r.values) for r in recordings] == [15000, 6000, 9000]


def test_half_an_hour_around_sleep_counts_by_the_clock(tmp_path):
    write_psg(tmp_path, records=4)
    stamp(tmp_path / "SC4001E0-PSG.edf", [0, 30, 60, 60 + 1805])
    write_hypnogram(tmp_path, stages=((W, 60), (N1, 30), (W, 1805)))
    with pytest.warns(UserWarning, match="gaps"):
        recordings = load_sleepedf(tmp_path).recordings
    assert [len(r.values) for r in recordings] == [9000, 2500]


@pytest.mark.parametrize("kind", ["EDF+C", "EDF+D"])
def test_records_without_a_gap_are_one_recording_in_either_kind(tmp_path, recwarn, kind):
    signal = write_psg(tmp_path)
    stamp(tmp_path / "SC4001E0-PSG.edf", [30 * n + 0.004 * (n % 2) for n in range(10)], kind)
    write_hypnogram(tmp_path)
    (recording,) = load_sleepedf(tmp_path).recordings
    np.testing.assert_array_equal(recording.values[:, 0], signal.astype(np.float32))
    assert recording.name == "SC4001E0" and not recwarn.list


@pytest.mark.parametrize(
    "kind, times, message",
    [
        ("EDF+C", [0, 30, 60, 91, 121], "record 3 starts at the wrong time for EDF.C. found: 91 s. wanted: 90 s"),
        ("EDF+C", [0, 30.004, 60.008, 90.012, 120], "record 2 starts at the wrong time"),
        ("EDF+D", [0, 30, 60, 89, 119], "record 3 .* found: 89 s. wanted: 90 s or later"),
        ("EDF+D", [0, 30, 100, 100, 130], "record 3 .* found: 100 s. wanted: 130 s or later"),
        ("EDF+D", [5, 35, 65, 95, 125], "record 0 .* found: 5 s. wanted: 0 s"),
    ],
)
def test_records_at_wrong_times_are_refused(tmp_path, kind, times, message):
    write_psg(tmp_path, records=5)
    stamp(tmp_path / "SC4001E0-PSG.edf", times, kind)
    write_hypnogram(tmp_path)
    with pytest.raises(InputError, match=rf"SC4001E0-PSG\.edf: {message}"):
        load_sleepedf(tmp_path)


def test_a_record_without_its_time_is_refused(tmp_path):
    write_psg(tmp_path, records=2)
    path = tmp_path / "SC4001E0-PSG.edf"
    stamp(path, [0, 30])
    path.write_bytes(path.read_bytes().replace(b"+30\x14\x14", b"+30\x14X"))
    write_hypnogram(tmp_path)
    with pytest.raises(InputError, match="record 1 has no time"):
        load_sleepedf(tmp_path)


def test_a_record_that_starts_within_a_second_shifts_the_stages(tmp_path):
    write_psg(tmp_path)
    stamp(tmp_path / "SC4001E0-PSG.edf", [30 * n + 0.25 for n in range(10)], "EDF+C")
    write_hypnogram(tmp_path, stages=((W, 60), (N1, 30)))
    assert changes(load_sleepedf(tmp_path).recordings[0].labels) == [(0, 0), (5975, 1), (8975, -1)]


def test_nights_of_the_telemetry_study_are_read_too_alone_and_beside_the_others(tmp_path):
    for name, scorer in (("ST7011J0", "P"), ("ST7012J0", "P"), ("SC4001E0", "C")):
        write_psg(tmp_path, name)
        write_hypnogram(tmp_path, name[:7] + scorer)
    names = [(r.name, r.subject) for r in load_sleepedf(tmp_path).recordings]
    assert names == [("SC4001E0", "SC400"), ("ST7011J0", "ST701"), ("ST7012J0", "ST701")]
    for path in tmp_path.glob("SC*"):
        path.unlink()
    assert [r.name for r in load_sleepedf(tmp_path).recordings] == ["ST7011J0", "ST7012J0"]


@pytest.mark.parametrize("name", ["SC4011E0-PSG.EDF", "SC5001E0-PSG.edf", "night.edf", "SC40E0-Hypnogram.edf"])
def test_a_file_that_is_no_night_by_its_name_is_never_left_out_without_a_word(night, name):
    (night / name).write_bytes(b"")
    (night / "._SC4011E0-PSG.edf").write_bytes(b"what macOS leaves on foreign disks")
    with pytest.raises(InputError, match=f"no nights of Sleep-EDF, by their names. found: {name}. wanted: .*ST7ssNJ0"):
        load_sleepedf(night)


def test_half_an_hour_of_wake_on_either_side_of_sleep_is_kept(tmp_path):
    signal = write_psg(tmp_path, records=240)  # two hours
    write_hypnogram(
        tmp_path, stages=((W, 40 * 60), (N1, 60), (W, 20 * 60), (REM, 60), (UNSCORED, 60), (W, 3600 - 3 * 60))
    )
    (recording,) = load_sleepedf(tmp_path).recordings
    assert len(recording.values) == (30 + 1 + 20 + 1 + 30) * MINUTE
    assert changes(recording.labels) == [
        (0, 0),
        (30 * MINUTE, 1),
        (31 * MINUTE, 0),
        (51 * MINUTE, 4),
        (52 * MINUTE, -1),
        (53 * MINUTE, 0),
    ]
    np.testing.assert_array_equal(recording.values[:, 0], signal[10 * MINUTE : 92 * MINUTE].astype(np.float32))
    assert recording.values.base is None and recording.labels.base is None, "the rest of the day is not kept in memory"


def test_less_wake_than_half_an_hour_is_kept_whole(tmp_path):
    write_psg(tmp_path, records=240)
    write_hypnogram(tmp_path, stages=((W, 600), (N1, 60), (W, 3000), (REM, 3480), (W, 60)))
    assert changes(load_sleepedf(tmp_path).recordings[0].labels) == [
        (0, 0),
        (10 * MINUTE, 1),
        (11 * MINUTE, 0),
        (61 * MINUTE, 4),
        (119 * MINUTE, 0),
    ]


def test_two_nights_of_one_person_are_one_subject_and_recorders_and_scorers_vary(tmp_path):
    for name, scorer in (("SC4822G0", "C"), ("SC4001E0", "C"), ("SC4821G0", "A"), ("SC4362F0", "Y")):
        write_psg(tmp_path, name)
        write_hypnogram(tmp_path, name[:7] + scorer)
    assert [(r.name, r.subject) for r in load_sleepedf(tmp_path).recordings] == [
        ("SC4001E0", "SC400"),
        ("SC4362F0", "SC436"),
        ("SC4821G0", "SC482"),
        ("SC4822G0", "SC482"),
    ]


def test_unscored_time_past_the_end_is_normal_and_a_stage_that_runs_past_it_is_cut_with_a_warning(tmp_path, recwarn):
    write_psg(tmp_path)
    write_hypnogram(tmp_path, stages=(*NIGHT, (UNSCORED, 6900)))
    assert len(load_sleepedf(tmp_path).recordings[0].labels) == 30000 and not recwarn.list
    write_hypnogram(tmp_path, stages=((N1, 240), (N2, 90)))
    with pytest.warns(UserWarning, match="scored past the end of the record in 1 nights, and cut there: SC4001E0$"):
        labels = load_sleepedf(tmp_path).recordings[0].labels
    assert changes(labels) == [(0, 1), (24000, 2)] and len(labels) == 30000


@pytest.mark.parametrize(
    "stages, message",
    [
        (
            ((N1, 300), (N2, 30)),
            "'Sleep stage 2' at 300 s: outside the record. found: sample 30000. wanted: before 30000",
        ),
        (
            ((0, 60, N1), (59.89, 30, N2)),
            "before the last stage has ended. found: sample 5989. wanted: 6000 or later, by 10 samples at most before",
        ),
        (((-0.11, 60, N1),), "at -0.11 s: before the start of the record"),
        (((-30, 60, N1),), "at -30 s: before the start of the record"),
        (((0, None, N1),), "at 0 s: no duration"),
        (((0, 0, N1),), "at 0 s: no duration"),
        (((0, 30, "Sleep stage N1"),), "'Sleep stage N1' at 0 s: not a sleep stage"),
        (((0, 30, "Lights off"),), "'Lights off' at 0 s: not a sleep stage"),
        (((W, 270), (UNSCORED, 30)), "no sleep. found: neither N1"),
    ],
)
def test_stages_that_cannot_be_used_are_refused_by_hypnogram(tmp_path, stages, message):
    write_psg(tmp_path)
    write_hypnogram(tmp_path, stages=stages)
    with pytest.raises(InputError, match=rf"SC4001EC-Hypnogram\.edf: .*{message}"):
        load_sleepedf(tmp_path)


@pytest.mark.parametrize("shift", [datetime.timedelta(seconds=1), datetime.timedelta(days=1)])
def test_the_hypnogram_of_another_night_is_refused_by_its_start(night, shift):
    write_hypnogram(night, start=START + shift)
    with pytest.raises(
        InputError,
        match=r"SC4001EC-Hypnogram\.edf: the hypnogram of another night. found: start 1989.*"
        "wanted: 1989-04-24 16:13:00",
    ):
        load_sleepedf(night)


def test_files_of_different_nights_are_refused_by_their_names(night):
    (night / "SC4001EC-Hypnogram.edf").rename(night / "SC4002EC-Hypnogram.edf")
    with pytest.raises(InputError, match=r"SC4001E0-PSG\.edf: a night needs one hypnogram. found: none"):
        load_sleepedf(night)


def test_two_hypnograms_of_one_night_and_one_without_its_night_are_refused(night):
    write_hypnogram(night, "SC4001EM")
    with pytest.raises(InputError, match="a night needs one hypnogram. found: .*SC4001EC-Hyp.*SC4001EM-Hyp"):
        load_sleepedf(night)
    (night / "SC4001EM-Hypnogram.edf").rename(night / "SC4011EM-Hypnogram.edf")
    with pytest.raises(InputError, match=r"SC4011EM-Hypnogram\.edf: .* no night that is here. found: no SC4011E0-PSG"):
        load_sleepedf(night)


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"channel": "EEG C4-A1"}, "no channel EEG Fpz-Cz, or several. found: .*'EEG C4-A1'"),
        ({"channel": "EEG Pz-Oz"}, "no channel EEG Fpz-Cz"),
        ({"unit": "mV"}, "wrong unit of EEG Fpz-Cz. found: mV. wanted: uV"),
        ({"rate": 128}, "wrong sampling rate of EEG Fpz-Cz. found: 128.0. wanted: 100"),
    ],
)
def test_another_channel_unit_or_rate_is_refused_by_record(night, changed, message):
    write_psg(night, **changed)
    with pytest.raises(InputError, match=rf"SC4001E0-PSG\.edf: {message}"):
        load_sleepedf(night)


def test_a_flat_channel_is_refused_by_record(night):
    write_psg(night, flat=True)
    with pytest.raises(InputError, match="recording SC4001E0: channel 0 is constant"):
        load_sleepedf(night)


@pytest.mark.parametrize("name", ["SC4001E0-PSG.edf", "SC4001EC-Hypnogram.edf"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:100],
        lambda data: data[:256],
        lambda data: data[:-1],
        lambda data: data[:-1000],
        lambda data: data + data[-9000:],
        lambda data: b"\xff" * len(data),
        lambda data: data[:168] + b"99.99.99" + data[176:],
        lambda data: data[:236] + b"abcdefgh" + data[244:],
        lambda data: (
            data[:244] + b"0       " + data[252:256] + b"X" + data[257:]
        ),  # no duration, and no annotations either
        lambda data: data[:252] + b"0   " + data[256:],
    ],
)
def test_a_damaged_file_is_refused_by_name(night, name, damage):
    path = night / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=rf"{name}: "):
        load_sleepedf(night)


def test_a_hypnogram_without_annotations_is_refused(night):
    write_psg(night, "SC4001EC")
    (night / "SC4001EC-PSG.edf").rename(night / "SC4001EC-Hypnogram.edf")
    with pytest.raises(InputError, match=r"SC4001EC-Hypnogram\.edf: no sleep"):
        load_sleepedf(night)


def test_missing_edfio_says_what_to_install(night, monkeypatch):
    monkeypatch.setitem(sys.modules, "edfio", None)
    with pytest.raises(InputError, match=r'needs the package edfio.*pip install "emargin\[data\]"'):
        load_sleepedf(night)


def test_a_folder_without_nights_is_missing_data(tmp_path):
    (tmp_path / "train.pt").write_bytes(b"of the other source")
    with pytest.raises(MissingData, match=f"{tmp_path.name}: no nights of Sleep-EDF.*physionet.org"):
        load_sleepedf(tmp_path)
