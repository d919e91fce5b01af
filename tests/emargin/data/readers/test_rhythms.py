"""The two arrhythmia databases: on small records in their exact format and, if at hand, on the real ones."""

import os
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample_poly

from emargin.data.readers.rhythms import MITBIH_TEST_SUBJECTS, load_afdb, load_mitbih
from emargin.errors import InputError

wfdb = pytest.importorskip("wfdb")
# wfdb.wrann, which writes the records here, calls pandas in a way that pandas 3 announces to drop.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")

RARE = {"124", "201", "202", "203", "210", "217", "219", "221", "222"}  # with AFIB, AFL or NOD


def write(folder: Path, name="100", rate=360, samples=2000, leads=("MLII", "V1"), rhythms=((0, "(N\0"),), units="mV"):
    """One record of sines in 200 units/mV, with its rhythms and a beat; returns the signal in mV."""
    time = np.arange(samples)[:, None] / rate
    signal = 0.5 + np.sin(2 * np.pi * time * np.arange(1, len(leads) + 1))
    digital = np.round(signal * 200).astype(np.int64) + 1024
    wfdb.wrsamp(
        name,
        fs=rate,
        units=[units] * len(leads),
        sig_name=list(leads),
        d_signal=digital,
        fmt=["212"] * len(leads),
        adc_gain=[200.0] * len(leads),
        baseline=[1024] * len(leads),
        write_dir=str(folder),
    )
    notes = sorted([(sample, "+", note) for sample, note in rhythms] + [(7, "N", "")])
    wfdb.wrann(
        name,
        "atr",
        np.array([sample for sample, _, _ in notes]),
        write_dir=str(folder),
        symbol=[symbol for _, symbol, _ in notes],
        aux_note=[note for _, _, note in notes],
    )
    return (digital - 1024) / 200


def sum_again(folder, name="100"):
    """Put the checksums of the leads as they are now into the header."""
    signals = wfdb.rdrecord(str(folder / name), physical=False).d_signal
    first, *leads = (folder / f"{name}.hea").read_text().splitlines()
    lines = [line.split() for line in leads]
    for fields, samples in zip(lines, signals.T, strict=True):
        fields[6] = str(int(samples.sum()))
    (folder / f"{name}.hea").write_text("\n".join([first, *(" ".join(fields) for fields in lines)]) + "\n")


def changes(labels):
    """[(first sample, label), ...] of the runs of equal labels."""
    starts = np.flatnonzero(np.diff(labels, prepend=labels[0] - 1))
    return [(int(start), int(labels[start])) for start in starts]


def test_values_are_millivolts_at_250_hz(tmp_path):
    signal = write(tmp_path, rate=250)
    recordings = load_mitbih(tmp_path)
    assert (recordings.name, recordings.source, recordings.sampling_rate) == ("mitbih", "real", 250.0)
    assert recordings.classes == ("AFIB", "AFL", "NOD", "N") and not recordings.framed
    (recording,) = recordings.recordings
    assert recording.values.dtype == np.float32 and recording.labels.dtype == np.int64
    np.testing.assert_array_equal(recording.values, signal.astype(np.float32))


def test_360_hz_are_resampled_to_250_without_delay_or_steps_at_the_ends(tmp_path):
    write(tmp_path, samples=2001)
    (recording,) = load_mitbih(tmp_path).recordings
    time = np.arange(1390)[:, None] / 250  # ceil(2001 * 25 / 36) samples
    expected = 0.5 + np.sin(2 * np.pi * time * np.array([1, 2]))
    assert recording.values.shape == expected.shape
    np.testing.assert_allclose(recording.values[20:-20], expected[20:-20], atol=0.01)
    np.testing.assert_allclose(recording.values, expected, atol=0.1)


@pytest.mark.parametrize("leads, swapped", [(("MLII", "V1"), False), (("V5", "MLII"), True), (("V5", "V2"), False)])
def test_mlii_comes_first_where_there_is_one(tmp_path, leads, swapped):
    signal = write(tmp_path, rate=250, leads=leads).astype(np.float32)
    np.testing.assert_array_equal(load_mitbih(tmp_path).recordings[0].values, signal[:, ::-1] if swapped else signal)


def test_a_rhythm_holds_from_its_sample_to_the_next_and_others_are_unlabelled(tmp_path):
    write(
        tmp_path,
        rate=250,
        rhythms=((9, "(N\0"), (100, "(AFIB"), (101, "(AFL"), (400, "(VT\0"), (600, "(NOD"), (1999, "(J")),
    )
    with pytest.warns(UserWarning, match="no class.*: VT 1 .records: 1., J 1 .records: 1."):
        labels = load_mitbih(tmp_path).recordings[0].labels
    assert changes(labels) == [(0, -1), (9, 3), (100, 0), (101, 1), (400, -1), (600, 2), (1999, -1)]


def test_afdb_has_j_where_mitbih_has_nod(tmp_path):
    write(tmp_path, "04015", rate=250, leads=("ECG1", "ECG2"), rhythms=((0, "(J\0"), (50, "(NOD"), (90, "(AFL")))
    with pytest.warns(UserWarning, match="ecg: rhythm notes that are no class.*: NOD 1 "):
        recordings = load_afdb(tmp_path)
    assert (recordings.name, recordings.classes) == ("ecg", ("AFIB", "AFL", "J", "N"))
    assert recordings.test_subjects == ()
    assert changes(recordings.recordings[0].labels) == [(0, 2), (50, -1), (90, 1)]


def test_notes_that_are_no_class_are_counted_by_name_over_all_records_and_also_without_one(tmp_path):
    write(tmp_path, "100", rhythms=((0, "(N"), (50, "(AFB"), (90, "(")))
    write(tmp_path, "101", rhythms=((0, "(N"), (50, "(AFB"), (90, "(N"), (99, "(AFB"), (200, "(afib")))
    with pytest.warns(UserWarning) as caught:
        load_mitbih(tmp_path)
    (warning,) = caught
    assert str(warning.message) == (
        "mitbih: rhythm notes that are no class, unlabelled from there on: "
        "AFB 3 (records: 2), no name 1 (records: 1), afib 1 (records: 1)"
    )


def test_records_of_classes_alone_give_no_warning(tmp_path, recwarn):
    write(tmp_path, rhythms=((0, "(N"), (50, "(AFIB")))
    load_mitbih(tmp_path)
    assert not [warning for warning in recwarn if warning.category is UserWarning]


@pytest.mark.parametrize("start", [0, 1, 35, 36, 37, 360, 361, 1443, 1998, 1999])
def test_resampled_labels_change_exactly_at_the_time_of_the_annotation(tmp_path, start):
    write(tmp_path, rhythms=((start, "(AFIB"),))
    labels = load_mitbih(tmp_path).recordings[0].labels
    expected = [0 if Fraction(i, 250) >= Fraction(start, 360) else -1 for i in range(1389)]
    np.testing.assert_array_equal(labels, expected)


def test_samples_361_at_360_hz_starts_at_251(tmp_path):
    write(tmp_path, rhythms=((361, "(AFIB"),))  # 361 * 25 / 36 = 250.7
    assert changes(load_mitbih(tmp_path).recordings[0].labels) == [(0, -1), (251, 0)]


def test_201_and_202_are_one_subject(tmp_path):
    for name in ("200", "201", "202"):
        write(tmp_path, name)
    assert [(r.name, r.subject) for r in load_mitbih(tmp_path).recordings] == [
        ("200", "200"),
        ("201", "201"),
        ("202", "201"),
    ]


def test_records_lists_what_is_read_and_without_it_all_headers_are(tmp_path):
    for name in ("102", "100", "101"):
        write(tmp_path, name)
    (tmp_path / "._100.hea").write_bytes(b"what macOS leaves on foreign disks")
    assert [r.name for r in load_mitbih(tmp_path).recordings] == ["100", "101", "102"]
    (tmp_path / "RECORDS").write_text("102\n100\n")
    assert [r.name for r in load_mitbih(tmp_path).recordings] == ["102", "100"]


def test_afdb_leaves_out_the_two_records_without_signals(tmp_path):
    write(tmp_path, "04015", rate=250)
    (tmp_path / "RECORDS").write_text("00735\n03665\n04015\n")
    (tmp_path / "00735.hea").write_text("00735 0 250 0\n")
    assert [r.name for r in load_afdb(tmp_path).recordings] == ["04015"]


def test_an_open_gain_as_in_afdb_means_200_units_per_millivolt(tmp_path):
    signal = write(tmp_path, "04015", rate=250)
    (tmp_path / "04015.hea").write_text(
        "04015 2 250 2000  9:00:00\n04015.dat 212 0 12 0 -55 -27172 0 ECG1\n04015.dat 212 0 12 0 -42 -28460 0 ECG2\n"
    )
    sum_again(tmp_path, "04015")
    expected = (signal * 200 + 1024) / 200
    np.testing.assert_allclose(load_afdb(tmp_path).recordings[0].values, expected, rtol=1e-6)


def test_folds_are_disjoint_keep_the_patient_of_201_together_and_follow_their_rule():
    first, second = MITBIH_TEST_SUBJECTS
    assert len(first) == len(second) == 10 and not first & second
    assert "202" not in first | second, "a subject is named by its first record"
    assert first & RARE == {"219", "222"} and second & RARE == {"124", "203"}


def test_missing_wfdb_says_what_to_install(tmp_path, monkeypatch):
    write(tmp_path)
    monkeypatch.setitem(sys.modules, "wfdb", None)
    with pytest.raises(InputError, match=r'needs the package wfdb.*pip install "emargin\[data\]"'):
        load_mitbih(tmp_path)


@pytest.mark.parametrize("extension", ["hea", "dat", "atr"])
def test_a_missing_file_of_a_listed_record_is_named(tmp_path, extension):
    write(tmp_path)
    (tmp_path / "RECORDS").write_text("100\n")
    (tmp_path / f"100.{extension}").unlink()
    with pytest.raises(InputError, match=rf"100\.{extension}: missing"):
        load_mitbih(tmp_path)


@pytest.mark.parametrize("listing", [None, "", "00735\n"])
def test_a_folder_without_records_is_refused(tmp_path, listing):
    if listing is not None:
        (tmp_path / "RECORDS").write_text(listing)
    with pytest.raises(InputError, match=f"{tmp_path.name}: no WFDB records.*emargin data fetch"):
        load_afdb(tmp_path)


@pytest.mark.parametrize("size, message", [(0, "found: 0 bytes. wanted: 6000"), (5999, "found: 5999 bytes")])
def test_a_truncated_signal_is_refused(tmp_path, size, message):
    write(tmp_path)
    path = tmp_path / "100.dat"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match=rf"100\.dat: truncated. {message}"):
        load_mitbih(tmp_path)


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("100 2 360 2000", "100 2 360 0", "100.hea: wrong number of samples. found: 0"),
        ("100 2 360 2000", "100 2 360", "100.hea: wrong number of samples. found: 0"),
        ("100 2 360 2000", "100 3 360 2000", "100.hea: wrong number of leads. found: 3 declared, 2 described"),
        ("100 2 360 2000", "100 1 360 2000", "100.hea: wrong number of leads. found: 1 declared, 2 described"),
        ("100 2 360 2000", "100/2 2 360 2000", "100.hea: "),
        ("100 2 360 2000", "100 2 359.5 2000", "100.hea: wrong sampling rate. found: 359.5 Hz"),
        ("100 2 360 2000", "100 2 1000000007 2000", "100.hea: wrong sampling rate"),
        ("100 2 360 2000", "", "100.hea: the header cannot be read"),
        ("/mV", "/uV", r"100.hea: wrong unit. found: \['uV', 'uV'\]. wanted: mV"),
        ("100.dat 212", "200.dat 212", "200.dat: missing"),
        ("100.dat 212", "100.dat 299", "100.dat: the signal cannot be read"),
        ("100.dat 212", "100.dat 16", "100.dat: the signal cannot be read"),
    ],
)
def test_a_damaged_header_is_refused(tmp_path, old, new, message):
    write(tmp_path)
    path = tmp_path / "100.hea"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=message):
        load_mitbih(tmp_path)


@pytest.mark.parametrize("read", [load_mitbih, load_afdb])
@pytest.mark.parametrize("lead, byte", [(0, 0), (0, 3000), (1, 2), (1, 5999)])
def test_a_flipped_bit_of_either_lead_is_refused_by_the_checksum_of_its_header(tmp_path, read, lead, byte):
    write(tmp_path, rate=250)
    path = tmp_path / "100.dat"
    data = bytearray(path.read_bytes())
    data[byte] ^= 1  # of three bytes the first is of lead 0, the last of lead 1, and the second of both
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"100\.dat: lead {lead} has another checksum than 100\.hea says.*SHA256SUMS"):
        read(tmp_path)


def test_a_checksum_may_be_negative_or_left_out(tmp_path):
    signal = write(tmp_path, rate=250)
    path = tmp_path / "100.hea"
    first, *leads = [line.split() for line in path.read_text().splitlines()]
    for change in (lambda fields: [*fields[:6], str(int(fields[6]) - 65536), *fields[7:]], lambda fields: fields[:6]):
        path.write_text("\n".join(" ".join(fields) for fields in [first, *map(change, leads)]) + "\n")
        np.testing.assert_array_equal(load_afdb(tmp_path).recordings[0].values, signal.astype(np.float32))


def test_an_empty_header_and_one_cut_off_after_its_first_line_are_refused(tmp_path):
    write(tmp_path)
    (tmp_path / "100.hea").write_text("")
    with pytest.raises(InputError, match="100.hea: the header cannot be read"):
        load_mitbih(tmp_path)
    (tmp_path / "100.hea").write_text("100 2 360 2000\n")
    with pytest.raises(InputError, match="100.hea: wrong number of leads. found: 2 declared, 0 described"):
        load_mitbih(tmp_path)


@pytest.mark.parametrize("leads", [("MLII",), ("MLII", "V1", "V2")])
def test_another_number_of_leads_is_refused(tmp_path, leads):
    write(tmp_path, leads=leads)
    with pytest.raises(InputError, match=f"100.hea: wrong number of leads. found: {len(leads)} declared.*wanted: 2"):
        load_mitbih(tmp_path)


@pytest.mark.parametrize(
    "rhythms, message",
    [
        (((2000, "(N"),), "beyond the record's end. found: samples 2000 to 2000. wanted: ascending, 0 to 1999"),
        ((), "no rhythm annotation. found: 1 other annotations"),
    ],
)
def test_rhythms_beyond_the_end_or_none_at_all_are_refused(tmp_path, rhythms, message):
    write(tmp_path, rhythms=rhythms)
    with pytest.raises(InputError, match=rf"100\.atr: .*{message}"):
        load_mitbih(tmp_path)


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda data: b"", "truncated"),
        (lambda data: data[:4], "truncated. found: no end mark"),  # wfdb would return the beat and say nothing
        (lambda data: data[:-2], "the annotations cannot be read"),
        (lambda data: data[:-1], "the annotations cannot be read"),
        (lambda data: b"\xff" * 40, "the annotations cannot be read"),
        # A skip of -50 samples before the second rhythm.
        (lambda data: data[:-2] + b"\x00\xec\xff\xff\xce\xff\x00\x70\x02\xfc(N\x00\x00", "out of order"),
    ],
)
def test_a_damaged_annotation_file_is_refused(tmp_path, damage, message):
    write(tmp_path, rhythms=((400, "(AFIB"),))
    path = tmp_path / "100.atr"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=rf"100\.atr: .*{message}"):
        load_mitbih(tmp_path)


def test_annotations_at_another_rate_are_refused(tmp_path):
    write(tmp_path)
    wfdb.wrann("100", "atr", np.array([0]), symbol=["+"], aux_note=["(N"], fs=128, write_dir=str(tmp_path))
    with pytest.raises(InputError, match="100.atr: annotations at another rate .* 128.* wanted: 360 Hz"):
        load_mitbih(tmp_path)


@pytest.mark.parametrize("rate", [250, 360])  # at 360 Hz before resampling, which would make the line wavy
def test_a_flat_lead_is_refused_by_record(tmp_path, rate):
    write(tmp_path, rate=rate)
    (tmp_path / "100.dat").write_bytes(b"\0" * 6000)
    sum_again(tmp_path)
    with pytest.raises(InputError, match="recording 100: channel 0 is constant"):
        load_mitbih(tmp_path)


@pytest.mark.parametrize("rate", [250, 360])  # at 360 Hz before resampling, which would spread it
def test_a_missing_sample_is_refused_by_record(tmp_path, rate):
    write(tmp_path, rate=rate)
    path = tmp_path / "100.dat"
    path.write_bytes(b"\x00\x08\x00" + path.read_bytes()[3:])  # -2048: how format 212 marks a sample without a value
    sum_again(tmp_path)
    with pytest.raises(InputError, match="recording 100: 1 samples are not finite.* at sample 0, channel 0"):
        load_mitbih(tmp_path)


@pytest.fixture(scope="module")
def mitbih():
    if "EMARGIN_DATA" not in os.environ:
        pytest.skip("EMARGIN_DATA is unset: no real MIT-BIH Arrhythmia Database")
    return load_mitbih(Path(os.environ["EMARGIN_DATA"]) / "mitbih")


def frame_counts(recordings):
    """Frames of 250 samples, hop 125, by class in complete sequences of 500 frames.

    A frame has the label that most of its samples have; in a tie a class wins over unlabelled, then the smaller one.
    """
    counts = np.zeros(4, dtype=int)
    for recording in recordings:
        windows = np.lib.stride_tricks.sliding_window_view(recording.labels, 250)[::125]
        votes = np.stack([(windows == label).sum(1) for label in (0, 1, 2, 3, -1)])
        frames = votes.argmax(0)[: len(windows) // 500 * 500]
        counts += np.bincount(frames, minlength=5)[:4]
    return counts


@pytest.mark.long
def test_the_real_records_hold_the_published_minutes_of_rhythm(mitbih):
    assert len(mitbih.recordings) == 48 and len({r.subject for r in mitbih.recordings}) == 47
    assert {r.values.shape for r in mitbih.recordings} == {(451389, 2)}
    labels = np.concatenate([recording.labels for recording in mitbih.recordings])
    minutes = [(labels == label).sum() / 250 / 60 for label in range(4)]
    np.testing.assert_allclose(minutes, [132.6, 13.1, 4.7, 1055.4], atol=0.06)


@pytest.mark.long
def test_the_folds_follow_their_rule_on_the_real_records(mitbih):
    with_rare = {recording.name for recording in mitbih.recordings if np.isin(recording.labels, (0, 1, 2)).any()}
    common = sorted({recording.name for recording in mitbih.recordings} - with_rare)
    assert with_rare == RARE and len(common) == 39
    assert mitbih.test_subjects == (frozenset({"222", "219", *common[0::5]}), frozenset({"203", "124", *common[2::5]}))


@pytest.mark.long
@pytest.mark.parametrize("fold, atrial_flutter, nodal", [(0, (724, 732), (93, 450)), (1, (828, 628), (481, 62))])
def test_the_folds_hold_the_stated_rare_frames(mitbih, fold, atrial_flutter, nodal):
    test_subjects = mitbih.test_subjects[fold]
    train = frame_counts([r for r in mitbih.recordings if r.subject not in test_subjects])
    test = frame_counts([r for r in mitbih.recordings if r.subject in test_subjects])
    assert ((train[1], test[1]), (train[2], test[2])) == (atrial_flutter, nodal)
    assert (train > 0).all() and (test > 0).all()


@pytest.mark.long
def test_resampling_keeps_the_amplitude_of_the_real_records(mitbih):
    folder = Path(os.environ["EMARGIN_DATA"]) / "mitbih"
    leads = wfdb.rdrecord(str(folder / "114")).p_signal[:, ::-1]  # MLII is second in 114
    expected = resample_poly(leads, 25, 36, axis=0)
    values = next(recording.values for recording in mitbih.recordings if recording.name == "114")
    np.testing.assert_allclose(values[100:-100], expected[100:-100], atol=1e-5)
