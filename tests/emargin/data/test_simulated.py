"""What the simulators promise: geometry, repeatability, and the textbook facts their signals show."""

from functools import cache

import numpy as np
import pytest
from scipy.signal import butter, find_peaks, periodogram, sosfiltfilt

from emargin.data.catalogue import settings_of
from emargin.data.simulated import GEOMETRIES, plan_sleep, simulate
from emargin.errors import InputError

SIMULATORS = ("harth-sim", "sleepeeg-sim", "ecg-sim")
NOISES = ("harth-noise", "sleepeeg-noise", "ecg-noise")
WALKING, RUNNING, STANDING, SITTING, LYING, CYCLING = 0, 1, 5, 6, 7, 8
WAKE, N1, N2, N3, REM = range(5)
AFIB, AFL, JUNCTIONAL, NORMAL = range(4)
quick = cache(lambda name: simulate(name, quick=True))


def stretches(name, label, at_least, channel=0):
    """The pieces of a channel that carry one label for that many samples or more."""
    pieces = []
    for recording in quick(name).recordings:
        edges = np.flatnonzero(np.diff(np.concatenate([[-9], recording.labels, [-9]])))
        pieces += [
            recording.values[start:end, channel].astype(float)
            for start, end in zip(edges[:-1], edges[1:], strict=True)
            if recording.labels[start] == label and end - start >= at_least
        ]
    return pieces


def spectrum(piece, window):
    """Mean power `(window / 2 + 1,)` of consecutive Hann windows."""
    blocks = piece[: len(piece) // window * window].reshape(-1, window)
    return (np.abs(np.fft.rfft((blocks - blocks.mean(1, keepdims=True)) * np.hanning(window))) ** 2).mean(0)


# ---- the sets


@pytest.mark.parametrize(
    ("name", "rate", "channels", "classes"), [("harth", 50, 6, 12), ("sleepeeg", 100, 1, 5), ("ecg", 250, 2, 4)]
)
@pytest.mark.parametrize("kind", ["sim", "noise"])
def test_sets_have_the_papers_geometry(name, rate, channels, classes, kind):
    data = quick(f"{name}-{kind}")
    count, minutes = GEOMETRIES[name].quick
    assert (data.source, data.framed, data.sampling_rate, len(data.classes)) == ("simulated", False, rate, classes)
    assert len({recording.subject for recording in data.recordings}) == len(data.recordings) == count
    for recording in data.recordings:
        assert recording.values.shape == (minutes * 60 * rate, channels)
        assert recording.values.dtype == np.float32 and recording.labels.dtype == np.int64


@pytest.mark.parametrize("name", SIMULATORS + NOISES)
def test_the_same_seed_gives_the_same_bits_and_another_does_not(name):
    first, again, reseeded = quick(name), simulate(name, quick=True), simulate(name, seed=1, quick=True)
    for a, b, c in zip(first.recordings, again.recordings, reseeded.recordings, strict=True):
        assert a.values.tobytes() == b.values.tobytes() and a.labels.tobytes() == b.labels.tobytes()
        assert not np.array_equal(a.values, c.values) and not np.array_equal(a.labels, c.labels)


@pytest.mark.parametrize("name", SIMULATORS)
def test_the_quick_profile_splits_by_subject_with_all_classes_and_enough_sequences_on_both_sides(name):
    data, settings = quick(name), settings_of(name)
    frames = (len(data.recordings[0].labels) - settings.n_fft) // settings.hop + 1
    n_train = round(settings.train_share * len(data.recordings))
    assert n_train * (frames // 100) >= 40 and (len(data.recordings) - n_train) * (frames // 100) >= 12
    for shuffle in range(5):
        order = np.random.default_rng(shuffle).permutation(len(data.recordings))
        for side in (order[:n_train], order[n_train:]):
            shown = np.unique(np.concatenate([data.recordings[number].labels for number in side]))
            assert len(shown) == len(data.classes), f"shuffle {shuffle} shows only {shown}"


@pytest.mark.parametrize("name", ["harth-simulated", "harth", "-noise", "dsads-sim", ""])
def test_an_unknown_name_is_an_error_that_lists_the_known_ones(name):
    with pytest.raises(InputError, match="harth-sim, sleepeeg-sim, ecg-sim, harth-noise"):
        simulate(name)


# ---- noise


@pytest.mark.parametrize("name", NOISES)
def test_noise_is_white_and_standard(name):
    for recording in quick(name).recordings:
        assert np.abs(recording.values.mean(0)).max() < 0.05
        assert np.abs(recording.values.std(0) - 1).max() < 0.02
        for channel in recording.values.T:
            density = spectrum(channel, 256)[2:-2]
            assert np.exp(np.log(density).mean()) / density.mean() > 0.98  # spectral flatness; 1 is white


@pytest.mark.parametrize("name", NOISES)
def test_noise_knows_nothing_of_its_labels_which_are_those_of_the_simulator(name):
    data = quick(name)
    values = np.concatenate([recording.values for recording in data.recordings])
    labels = np.concatenate([recording.labels for recording in data.recordings])
    for label in range(len(data.classes)):
        chosen = values[labels == label]
        bound = 5 / np.sqrt(len(chosen))  # five standard errors
        assert np.abs(chosen.mean(0)).max() < bound
        assert np.abs((chosen**2).mean(0) - 1).max() < bound * np.sqrt(2)
    for noisy, simulated in zip(data.recordings, quick(name.replace("noise", "sim")).recordings, strict=True):
        assert np.array_equal(noisy.labels, simulated.labels)


# ---- acceleration


def test_sitting_takes_most_of_the_day_and_the_last_class_least():
    geometry = GEOMETRIES["harth"]
    days = [geometry.plan(np.random.default_rng(seed), 2400, 1, 1) for seed in range(30)]
    share = np.bincount(np.concatenate(days), minlength=12) / (30 * 2400)
    assert share.argmax() == SITTING and 0.25 < share[SITTING] < 0.45
    assert share.argmin() == 11 and share[11] > 0.003


def test_gravity_tells_the_postures_apart():
    for recording in quick("harth-sim").recordings:

        def tilt(label, segment, recording=recording):
            means = recording.values[recording.labels == label].mean(0)[3 * segment : 3 * segment + 3]
            return np.degrees(np.arccos(-means[0] / np.linalg.norm(means)))

        assert tilt(STANDING, 0) < 35 and tilt(STANDING, 1) < 35
        assert tilt(SITTING, 0) < 40 and tilt(SITTING, 1) > 55
        assert tilt(LYING, 0) > 45
        assert tilt(CYCLING, 0) > tilt(STANDING, 0)
        still = np.linalg.norm(recording.values[recording.labels == SITTING][:, :3], axis=1)
        assert np.median(still) == pytest.approx(1, abs=0.03)  # g


def test_walking_shows_the_harmonics_of_the_step_and_running_is_faster_and_stronger():
    cadence, strength = {}, {}
    for label, low, high in ((WALKING, 1.4, 2.5), (RUNNING, 2.2, 3.5)):
        pieces = stretches("harth-sim", label, 400)
        steps, prominence = [], []
        for piece in pieces:
            frequency, density = periodogram(piece, 50, window="hann")
            step = frequency[np.argmax(density * (frequency > 0.8) * (frequency < 4))]
            second, between = (density[np.abs(frequency / step - multiple) < 0.1].max() for multiple in (2, 1.5))
            steps.append(step)
            prominence.append(second / between)
        assert len(pieces) >= 5 and all(low < step < high for step in steps), (label, steps)
        assert np.median(prominence) > 2, "the second harmonic of the step stands out"
        cadence[label], strength[label] = np.mean(steps), np.mean([piece.std() for piece in pieces])
    assert cadence[RUNNING] > 1.2 * cadence[WALKING] and strength[RUNNING] > 2 * strength[WALKING]


# ---- sleep


def test_a_night_has_deep_sleep_early_and_dreams_late():
    nights = np.array([plan_sleep(np.random.default_rng(seed), 7 * 3600, 1, 1)[::30] for seed in range(30)])
    first, second = nights[:, :420], nights[:, 420:]
    assert (first == N3).sum() > 2 * (second == N3).sum()
    assert (second == REM).sum() > 1.5 * (first == REM).sum()
    share = np.bincount(nights.ravel()) / nights.size
    for stage, low, high in ((WAKE, 0.04, 0.15), (N1, 0.04, 0.12), (N2, 0.4, 0.6), (N3, 0.12, 0.25), (REM, 0.1, 0.25)):
        assert low < share[stage] < high, (stage, share)
    assert (nights[:, 0] == WAKE).all()
    onsets = [np.flatnonzero((night[1:] == REM) & (night[:-1] != REM)) for night in nights]
    cycles = np.concatenate([np.diff(onset) for onset in onsets]) / 2  # minutes
    assert 75 < np.median(cycles) < 110


def test_labels_change_only_between_epochs():
    for recording in quick("sleepeeg-sim").recordings:
        assert (recording.labels.reshape(-1, 3000) == recording.labels[::3000, None]).all()


def test_each_stage_has_the_rhythm_that_defines_it():
    power = np.array(
        [
            np.mean([spectrum(piece, 400) for piece in stretches("sleepeeg-sim", stage, 3000)], axis=0)
            for stage in range(5)
        ]
    )  # (stages, bins of 0.25 Hz)
    delta, theta, alpha, sigma, muscle = (
        power[:, round(4 * low) : round(4 * high)].sum(1)
        for low, high in ((0.5, 4), (4, 7.5), (8.5, 11.5), (12, 14.5), (35, 48))
    )
    assert delta[N3] > 2 * delta[N2] > 2 * delta[[WAKE, N1, REM]].max()
    assert alpha.argmax() == WAKE and alpha[WAKE] > 1.5 * alpha[N1] > 1.5 * alpha[REM]
    assert theta[N1] > theta[WAKE]
    assert sigma.argmax() == N2 and sigma[N2] > 2 * sigma[REM]
    assert muscle.argmax() == WAKE and muscle.argmin() == REM


def test_spindles_wax_and_wane_in_n2():
    """The strength of the spindle band comes in bursts: heavier tails in N2 than in REM, which has none."""
    filters = butter(4, (11, 16), "bandpass", fs=100, output="sos")

    def burstiness(stage):
        envelopes = np.concatenate(
            [
                np.convolve(sosfiltfilt(filters, piece) ** 2, np.full(50, 0.02), "valid")
                for piece in stretches("sleepeeg-sim", stage, 3000)
            ]
        )
        return np.quantile(envelopes, 0.99) / np.median(envelopes)

    assert burstiness(N2) > 1.3 * burstiness(REM)


# ---- ECG


def beats(piece):
    """Sample numbers of the R peaks, found from the slope of the signal."""
    filters = butter(2, (8, 40), "bandpass", fs=250, output="sos")
    strength = np.convolve(sosfiltfilt(filters, piece) ** 2, np.full(20, 0.05), "same")
    return find_peaks(strength, height=0.3 * np.quantile(strength, 0.98), distance=70)[0]


def test_beats_come_without_order_in_fibrillation_with_the_breath_in_sinus_rhythm_like_a_clock_from_the_junction():
    irregular = {}
    for rhythm, low, high in ((AFIB, 85, 150), (JUNCTIONAL, 35, 55), (NORMAL, 55, 92)):
        intervals = [np.diff(beats(piece)) / 250 for piece in stretches("ecg-sim", rhythm, 1500)]
        rates = [60 / np.median(interval) for interval in intervals]
        assert len(rates) >= 3 and low < np.median(rates) < high, (rhythm, rates)
        # Quartiles, since a few ectopic beats come early in any rhythm.
        irregular[rhythm] = np.median(
            [np.ptp(np.quantile(interval, [0.25, 0.75])) / np.median(interval) for interval in intervals]
        )
    assert irregular[AFIB] > 0.12
    assert irregular[AFIB] > 3 * irregular[NORMAL]
    assert irregular[NORMAL] > 2.5 * irregular[JUNCTIONAL]  # the breath


def test_flutter_waves_repeat_four_to_six_times_a_second():
    frequency = np.arange(513) * 250 / 1024
    band = (frequency > 2.5) & (frequency < 9)
    pieces = stretches("ecg-sim", AFL, 1024)
    assert len(pieces) >= 10
    for piece in pieces:
        density = spectrum(piece, 1024)[band]
        assert 4 < frequency[band][density.argmax()] < 6
        assert density.max() > 10 * np.median(density)


def test_only_sinus_beats_have_an_upright_p_wave():
    def p_wave(rhythm):
        heights = []
        for piece in stretches("ecg-sim", rhythm, 1500):
            average = np.mean([piece[r - 75 : r + 1] for r in beats(piece) if r > 75], axis=0)
            heights.append(average[30:40].mean() - average[5:15].mean())  # 160 ms against 260 ms before R
        return np.median(heights)

    assert p_wave(NORMAL) > 0.06  # mV
    assert p_wave(JUNCTIONAL) < 0.02 and p_wave(AFIB) < 0.02
