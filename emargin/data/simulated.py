"""Simulated data sets with the paper's exact geometry, and white noise in the same geometry as a control.

Three simulators, one for each set of the paper: acceleration of back and thigh, sleep EEG, two-lead ECG. Each plans
the labels of a recording (bouts of activity, a hypnogram, episodes of rhythm) and renders a signal to them from
textbook physiology. Every recording is a new person (sensor placement, cadence, frequencies, shape of the heart beat,
all amplitudes), which makes a split by subject hard. The noise sets keep the planned labels and replace the signal.

    recordings = simulate("harth-sim", seed=0, quick=True).recordings
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import sawtooth
from scipy.spatial.transform import Rotation

from emargin.data.recordings import Recording, RecordingSet
from emargin.errors import InputError

# ---- parts that the simulators share

BLOCK = 4  # seconds over which noise keeps its spectrum


def varied(generator, value, spread):
    """Return `value` times a log-normal factor for each element: how one person or moment differs from the table."""
    return value * generator.lognormal(0, spread, np.shape(value))


def bout_edges(labels):
    """Return starts and ends (sample numbers) of the runs of equal labels."""
    edges = np.concatenate([[0], np.flatnonzero(np.diff(labels)) + 1, [len(labels)]])
    return edges[:-1], edges[1:]


def plan_bouts(generator, seconds, pace, rate, *, share, mean_bout, follows):
    """Return labels `(seconds * rate,)` of a chain of bouts.

    share, mean_bout: long-run share of the time and mean duration (s) of each class. follows: `(classes, classes)`,
    what may come after what. pace: durations are multiplied by it, so that a short recording still shows every class.
    The odds of a successor are exp(bouts it lags behind its share): a Markov chain that keeps a person's time budget.
    """
    share = varied(generator, share, 0.25)
    share /= share.sum()
    spent, bouts = np.zeros(len(share)), []
    current = generator.choice(len(share), p=share)
    while spent.sum() < seconds:
        duration = max(4.0, pace * mean_bout[current] * generator.lognormal(-0.125, 0.5))
        bouts.append(np.full(round(duration * rate), current))
        spent[current] += duration
        lag = (share * (spent.sum() + seconds / 8) - spent) / (pace * mean_bout)
        odds = follows[current] * np.exp(np.clip(lag, -20, 20))
        current = generator.choice(len(share), p=odds / odds.sum())
    return np.concatenate(bouts)[: round(seconds * rate)]


def shaped_noise(generator, labels, rate, amplitudes, spectra, spread):
    """Return Gaussian noise `(samples,)` whose spectrum follows the labels.

    amplitudes: `(classes, bands)`, root mean square of each band in each class. spectra: `(bands, bins)`, power of each
    band at the frequencies `0 ... rate / 2` in steps of `1 / BLOCK`. spread: standard deviation of the log
    amplitude of a band from block to block, since no rhythm of the body is steady. Blocks overlap by half under a sine
    window, whose squares add to one: the power is exact and transitions are smooth.
    """
    length = BLOCK * rate
    half, count = length // 2, 2 * len(labels) // length + 2
    centres = np.minimum(np.arange(count) * half, len(labels) - 1)
    strength = amplitudes[labels[centres]] * np.exp(spread * generator.standard_normal((count, len(spectra))))
    density = (strength**2) @ (spectra / spectra.sum(1, keepdims=True))  # (blocks, bins)
    waves = generator.standard_normal((*density.shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
    blocks = np.fft.irfft(np.sqrt(density).astype(np.float32) * waves, n=length, axis=1)
    blocks *= length / 2 * np.sin(np.pi * (np.arange(length) + 0.5) / length)
    return (blocks[1:, :half] + blocks[:-1, half:]).ravel()[: len(labels)]


def bell(x, centre, width):
    """Return a Gaussian of height one: a deflection in time (s) or a band in frequency (Hz)."""
    return np.exp(-0.5 * ((x - centre) / width) ** 2)


def bands(rate, centres, widths):
    """Return Gaussian bands `(bands, bins)` for `shaped_noise`; centres and widths in Hz."""
    return bell(np.arange(BLOCK * rate // 2 + 1) / BLOCK, np.reshape(centres, (-1, 1)), np.reshape(widths, (-1, 1)))


def add_events(signal, starts, shapes):
    """Add `shapes` `(events, samples)` to `signal` in place, each from its start; none that would stick out."""
    inside = (starts >= 0) & (starts + shapes.shape[1] <= len(signal))
    where = starts[inside, None] + np.arange(shapes.shape[1])
    signal += np.bincount(where.ravel(), shapes[inside].ravel(), minlength=len(signal))


# ---- acceleration of back and thigh, three axes each (up, sideways, forward), in g

HARTH_CODES = (1, 2, 3, 4, 5, 6, 7, 8, 13, 14, 130, 140)
LYING = HARTH_CODES.index(8)
# Stairs are reached from walking; on the bicycle one waits between rides.
HARTH_FOLLOWS = {
    1: (2, 3, 4, 5, 6, 7, 13),
    2: (1, 3, 6),
    3: (1, 6, 7, 13),
    4: (1, 3, 6),
    5: (1, 3, 6),
    6: (1, 3, 7, 8, 13),
    7: (1, 3, 6, 8),
    8: (6, 7),
    13: (6, 14, 130),
    14: (13, 140),
    130: (6, 13),
    140: (6, 13, 14),
}
# share, bout s | lean of back and thigh (degrees), its change from bout to bout | strides a second, swing of the thigh
# (degrees), acceleration of a stride at back and thigh (g), decay of its harmonics | unordered movement (g)
HARTH_TABLE = np.array(
    [
        [0.160, 35, 5, 5, 4, 0.92, 20, 0.22, 0.30, 0.75, 0.050],  # walking
        [0.050, 35, 10, 12, 5, 1.35, 30, 0.75, 0.90, 0.80, 0.150],  # running
        [0.050, 10, 6, 4, 6, 0.65, 7, 0.05, 0.08, 0.65, 0.040],  # shuffling
        [0.030, 18, 17, 22, 5, 0.74, 25, 0.16, 0.27, 0.65, 0.045],  # stairs (ascending)
        [0.030, 18, 3, 10, 5, 0.98, 16, 0.30, 0.32, 0.85, 0.070],  # stairs (descending)
        [0.120, 22, 5, 3, 6, 0.00, 0, 0.00, 0.00, 0.50, 0.015],  # standing
        [0.320, 120, 8, 84, 9, 0.00, 0, 0.00, 0.00, 0.50, 0.012],  # sitting
        [0.080, 100, 85, 84, 10, 0.00, 0, 0.00, 0.00, 0.50, 0.006],  # lying
        [0.090, 60, 36, 52, 5, 1.20, 20, 0.08, 0.15, 0.50, 0.070],  # cycling (sit)
        [0.028, 18, 46, 27, 6, 1.00, 22, 0.16, 0.20, 0.65, 0.100],  # cycling (stand)
        [0.028, 16, 36, 52, 5, 0.00, 0, 0.00, 0.00, 0.50, 0.025],  # cycling (sit, inactive)
        [0.014, 13, 40, 20, 6, 0.00, 0, 0.00, 0.00, 0.50, 0.030],  # cycling (stand, inactive)
    ]
)


def render_acceleration(generator, labels, rate):
    """Return acceleration `(samples, 6)` in g.

    Gravity, seen by a sensor that leans with its body segment, tells the postures apart; lying also rolls to a side.
    Strides add harmonics of the stride frequency, of which the trunk shows mostly the even ones (two steps a stride),
    and swing the thigh, which moves gravity between its axes. The person: how each sensor was put on, own lean,
    cadence, vigour and harmonics.
    """
    starts, ends = bout_edges(labels)
    kind, length = labels[starts], ends - starts
    _, _, *lean, lean_change, cadence, swing, back, thigh, decay, movement = varied(generator, HARTH_TABLE, 0.06).T
    vigour = generator.lognormal(0, 0.12) * generator.lognormal(0, 0.12, len(kind))
    stride_rate = cadence[kind] * generator.normal(1, 0.05) * generator.normal(1, 0.04, len(kind))
    phase = 2 * np.pi * np.cumsum(np.repeat(stride_rate, length)) / rate
    from_edge = np.minimum(np.arange(len(labels)) - starts.repeat(length), ends.repeat(length) - np.arange(len(labels)))
    fade = np.minimum(1, from_edge / (rate / 2))  # half a second to get going and to stop

    harmonics = np.arange(1, 7)
    waves = np.concatenate([f(np.outer(phase, harmonics)) for f in (np.cos, np.sin)], axis=1) * fade[:, None]
    parity = np.array([np.where(harmonics % 2, 0.35, 1.0), np.ones(6)]).repeat(3, axis=0)  # (axes, harmonics)
    size = parity * varied(generator, np.array([1.0, 0.5, 0.7, 0.8, 0.5, 1.0]), 0.2)[:, None]
    angle = generator.uniform(0, 2 * np.pi, size.shape)
    values = np.empty((len(labels), 6))
    for k, start, end, gain in zip(kind, starts, ends, vigour, strict=True):
        stride = gain * np.repeat([back[k], thigh[k]], 3)[:, None] * size * decay[k] ** harmonics
        values[start:end] = waves[start:end] @ np.hstack([stride * np.cos(angle), stride * np.sin(angle)]).T

    def smooth(angles):
        """Turn one angle a bout (degrees) into radians a sample; a change of posture takes about two seconds."""
        return uniform_filter1d(uniform_filter1d(np.repeat(np.deg2rad(angles), length), rate), rate)

    for segment, columns in enumerate((slice(0, 3), slice(3, 6))):
        own_lean = generator.normal(0, 3) + lean_change[kind] * generator.normal(0, 1, len(kind))
        pitch = smooth(lean[segment][kind] + own_lean)
        roll = smooth((kind == LYING) * generator.choice([-75, 0, 75], len(kind)) + generator.normal(0, 5, len(kind)))
        pitch += segment * np.deg2rad(swing)[labels] * np.cos(phase) * fade  # segment 0, the back, does not swing
        gravity = np.stack([np.cos(pitch), np.sin(pitch) * np.sin(roll), np.sin(pitch) * np.cos(roll)], axis=1)
        placement = Rotation.from_euler("xyz", generator.normal(0, 6, 3), degrees=True).as_matrix()
        values[:, columns] = (values[:, columns] - gravity) @ placement.T
    # Sway and fidgeting below 2 Hz; shaking of soft tissue and clothes up to 15 Hz.
    amplitudes, spectra = 0.7 * movement[:, None].repeat(2, axis=1), bands(rate, [0.5, 4.0], [0.8, 6.0])
    for column in range(6):
        values[:, column] += shaped_noise(generator, labels, rate, amplitudes, spectra, spread=0.6)
    return values + generator.normal(0, 0.008, values.shape)  # the sensor's own noise


# ---- sleep EEG, one frontal-central channel, in microvolt

WAKE, N1, N2, N3, REM = range(5)
EPOCH = 30  # seconds, the unit of sleep scoring
# Root mean square (microvolt) of each band: 1/f background, slow waves, theta, alpha, sigma, beta, muscle
EEG_AMPLITUDES = np.array(
    [
        [8.0, 4.0, 3.5, 8.5, 2.0, 5.0, 7.5],  # W: alpha with closed eyes, muscle tone
        [9.0, 5.0, 6.5, 5.0, 2.0, 3.2, 3.2],  # N1: alpha gives way to theta
        [11.0, 13.0, 6.5, 3.0, 4.5, 1.6, 1.8],  # N2: spindles and K-complexes on a slower background
        [13.0, 34.0, 7.0, 2.6, 2.8, 1.0, 1.4],  # N3: slow waves
        [9.0, 4.5, 5.0, 3.2, 1.3, 3.2, 0.8],  # REM: like N1, with the muscles off
    ]
)


def plan_sleep(generator, seconds, pace, rate):
    """Return a hypnogram in epochs: cycles of 80 to 90 minutes, N3 early in the night, REM late, brief awakenings.

    A short recording shows the whole night in time lapse, every n-th epoch of it.
    """
    night = round(seconds / pace / EPOCH)
    stages = [WAKE] * generator.integers(12, 40) + [N1] * generator.integers(6, 14)
    while len(stages) < night:
        late = len(stages) / night
        deep, dream = round(70 * (1 - late) ** 1.5), round(8 + 55 * late)
        for stage, epochs in ((N2, 20), (N3, deep), (N2, max(20, 130 - deep - dream)), (REM, dream)):
            stages += [stage] * round(varied(generator, epochs, 0.2))
            if generator.random() < 0.7:  # a brief awakening; sleep resumes through N1
                stages += [WAKE] * generator.integers(1, 6) + [N1] * generator.integers(2, 8)
    shown = np.linspace(0, night, round(seconds / EPOCH), endpoint=False).astype(int)
    return np.array(stages)[shown].repeat(EPOCH * rate)


def render_eeg(generator, labels, rate):
    """Return EEG `(samples, 1)` in microvolt.

    Rhythms are band noise whose strength follows the stage and fluctuates within it; on top come the events that
    scoring rules name: spindles and K-complexes (N2), sawtooth waves and rapid eye movements (REM), blinks (W). The
    person: gain of the recording, amplitude and frequency of each rhythm, slope of the background, rates of events.
    """
    alpha, spindle = generator.normal(10, 0.8), generator.normal(13.2, 0.6)
    spectra = bands(rate, [1.0, 1.0, 5.5, alpha, spindle, 20.0, 40.0], [1.0, 0.6, 1.2, 0.9, 0.9, 4.0, 12.0])
    spectra[0] = np.maximum(np.arange(spectra.shape[1]) / BLOCK, 0.5) ** -generator.normal(1.8, 0.2)
    amplitudes = varied(generator, EEG_AMPLITUDES, 0.08) * generator.lognormal(0, 0.15, 7)
    signal = shaped_noise(generator, labels, rate, amplitudes, spectra, spread=0.25)

    def add(stage, per_minute, seconds, shape):
        """Add `shape(time, draw)` at random moments of the stage; `draw` gives one uniform number an event."""
        moments = np.flatnonzero(labels == stage)
        count = generator.poisson(varied(generator, per_minute, 0.3) * len(moments) / rate / 60)
        starts = moments[generator.integers(0, max(len(moments), 1), count)]
        shapes = shape(np.arange(round(seconds * rate)) / rate, lambda *limits: generator.uniform(*limits, (count, 1)))
        add_events(signal, starts, shapes)

    def spindles(time, draw):  # half a second to two seconds, waxing and waning
        return draw(12, 28) * bell(time, 1, draw(0.15, 0.35)) * np.sin(2 * np.pi * (spindle + draw(-0.5, 0.5)) * time)

    def k_complexes(time, draw):  # a sharp negative wave, then a slower positive one
        return draw(60, 130) * (0.6 * bell(time, 0.8, 0.16) - bell(time, 0.4, draw(0.06, 0.1)))

    def sawtooth_waves(time, draw):  # trains of 2 to 4 Hz
        return draw(10, 25) * bell(time, 1.5, 0.6) * sawtooth(2 * np.pi * draw(2, 4) * time)

    def eye_movements(time, draw):  # to either side, a fraction of a second
        return draw(30, 110) * np.sign(draw(-1, 1)) * bell(time, 0.5, draw(0.06, 0.15))

    for stage, per_minute, seconds, shape in (
        (N2, 4, 2, spindles),
        (N3, 2, 2, spindles),
        (N2, 2, 1.5, k_complexes),
        (REM, 3, 3, sawtooth_waves),
        (REM, 6, 1, eye_movements),
        (WAKE, 8, 1, eye_movements),
    ):
        add(stage, per_minute, seconds, shape)
    return generator.lognormal(0, 0.12) * signal[:, None]


# ---- ECG, two leads, in millivolt

RHYTHMS = ("AFIB", "AFL", "J", "N")
AFIB, AFL, JUNCTIONAL, NORMAL = range(4)
RHYTHM_SHARE, RHYTHM_BOUT = np.array([0.36, 0.14, 0.08, 0.42]), np.array([240.0, 150.0, 70.0, 240.0])  # seconds
# Flutter and fibrillation turn into each other; the junction steps in for the sinus node.
RHYTHM_FOLLOWS = np.array([[0, 1, 0, 1], [1, 0, 0, 1], [0, 0, 0, 1], [1, 1, 1, 0]])
# Waves of a beat: centre after the R peak (s), width (s), amplitude in each lead (mV)
BEAT = {
    "P": [-0.160, 0.024, 0.13, 0.09],
    "Q": [-0.030, 0.008, -0.09, -0.06],
    "R": [0.0, 0.009, 1.05, 0.70],
    "S": [0.030, 0.009, -0.22, -0.35],
    "T": [0.270, 0.055, 0.28, 0.18],
}


def beat_intervals(generator, rhythm, seconds, mean_interval, flutter_period, breath):
    """Return intervals (s) from beat to beat in one episode, enough of them to fill it.

    Fibrillation: without order. Flutter: every second, third or fourth flutter wave is conducted. Junction: like a
    clock. Sinus node: slowed and sped up by the breath (frequency `breath`, Hz).
    """
    count = int(seconds / 0.3) + 2
    if rhythm == AFIB:
        return np.maximum(0.32, mean_interval * generator.gamma(20, 1 / 20, count))
    if rhythm == AFL:
        ratio = generator.choice([2, 3, 4], count, p=[0.5, 0.2, 0.3]).repeat(generator.integers(1, 9, count))
        return flutter_period * ratio[:count]
    if rhythm == JUNCTIONAL:
        return mean_interval * generator.normal(1, 0.008, count)
    breathing = np.sin(2 * np.pi * breath * mean_interval * np.arange(count))
    return mean_interval * (1 + 0.035 * breathing + generator.normal(0, 0.012, count))


def render_ecg(generator, labels, rate):
    """Return ECG `(samples, 2)` in millivolt.

    A beat is a sum of Gaussians (P, Q, R, S, T). Sinus beats have an upright P wave, junctional beats an inverted one
    or none; fibrillation replaces it by irregular waves of 4 to 9 Hz, flutter by a regular sawtooth of 250 to 350 a
    minute to which the beats are locked. The patient: shape of the beat, rates, atrial amplitudes, burden of wide
    ectopic beats, wander with the breath and the electrodes, mains and muscle noise.
    """
    breath, flutter_rate = generator.uniform(0.2, 0.33), generator.uniform(4.3, 5.7)  # Hz
    mean_interval = {
        AFIB: 60 / generator.uniform(95, 145),
        AFL: None,
        JUNCTIONAL: 60 / generator.uniform(38, 50),
        NORMAL: 60 / generator.uniform(60, 85),
    }
    time = np.arange(len(labels)) / rate
    flutter, moments, intervals, rhythms = np.zeros(len(labels)), [], [], []
    for start, end in zip(*bout_edges(labels), strict=True):
        rhythm, seconds = labels[start], (end - start) / rate
        period = 1 / (flutter_rate * generator.normal(1, 0.02))
        interval = beat_intervals(generator, rhythm, seconds, mean_interval[rhythm], period, breath)
        moment = np.cumsum(interval)
        moments.append(start / rate + moment[moment < seconds])
        intervals.append(interval[moment < seconds])
        rhythms.append(np.full(len(moments[-1]), rhythm))
        if rhythm == AFL:
            flutter[start:end] = sawtooth(2 * np.pi * np.arange(end - start) / rate / period, 0.8)
    moment, interval, rhythm = map(np.concatenate, (moments, intervals, rhythms))

    fibrillation, muscle = generator.uniform(0.11, 0.26), generator.uniform(0.001, 0.003)
    amplitudes = np.array([[fibrillation * (rhythm == AFIB), muscle] for rhythm in range(4)])
    spectra = bands(rate, [generator.uniform(4.5, 8), 50], [1, 30])
    flutter *= generator.uniform(0.18, 0.36)
    values = np.empty((2, len(labels)), dtype=np.float32)
    for lead in range(2):
        drift = uniform_filter1d(generator.normal(0, np.sqrt(4 * rate), len(labels)), 4 * rate)
        values[lead] = (
            shaped_noise(generator, labels, rate, amplitudes, spectra, spread=0.35)
            + (1, 0.4)[lead] * flutter
            + generator.uniform(0.01, 0.04) * drift
            + generator.uniform(0.03, 0.1) * np.sin(2 * np.pi * breath * time)
            + generator.uniform(0, 0.03) * np.sin(2 * np.pi * 60 * time)
        )  # mains

    height = generator.normal(1, 0.06, len(moment))
    ectopic = generator.random(len(moment)) < generator.uniform(0, 0.06)
    moment -= 0.25 * interval * ectopic  # they come early; the next beat is on time, so a pause follows
    p_size = ~ectopic * np.array([0, 0, generator.choice([-0.7, 0]), 1])[rhythm]
    for beats, qrs_width, qrs_size, t_size in ((~ectopic, 1, 1, 1), (ectopic, 2.5, 1.4, -1.2)):
        for name, shape in BEAT.items():
            centre, width, *size = varied(generator, np.array(shape), [0.1, 0.1, 0.18, 0.18])
            # Repolarisation shortens with the interval; the other waves keep their place.
            middle = rate * (moment[beats] + centre * (np.sqrt(interval[beats]) if name == "T" else 1))
            width *= rate * (qrs_width if name in "QRS" else 1)
            scale = height[beats] * {"P": p_size[beats], "T": t_size}.get(name, qrs_size)
            first = np.round(middle - 4 * width).astype(int)
            offset = np.arange(round(8 * width)) + (first - middle).astype(np.float32)[:, None]
            shapes = scale[:, None] * bell(offset, 0, width)
            for lead in range(2):
                add_events(values[lead], first, size[lead] * shapes)
    return values.T


# ---- the sets


@dataclass(frozen=True)
class Geometry:
    """Shape of a set: class names, samples a second, channels, (recordings, minutes) full and quick, its simulator."""

    classes: tuple[str, ...]
    rate: int
    channels: int
    full: tuple[int, float]
    quick: tuple[int, float]
    plan: Callable
    render: Callable


GEOMETRIES = {
    "harth": Geometry(
        (
            "walking",
            "running",
            "shuffling",
            "stairs (ascending)",
            "stairs (descending)",
            "standing",
            "sitting",
            "lying",
            "cycling (sit)",
            "cycling (stand)",
            "cycling (sit, inactive)",
            "cycling (stand, inactive)",
        ),
        50,
        6,
        (12, 40),
        (12, 8),
        partial(
            plan_bouts,
            share=HARTH_TABLE[:, 0],
            mean_bout=HARTH_TABLE[:, 1],
            follows=np.array([[after in HARTH_FOLLOWS[code] for after in HARTH_CODES] for code in HARTH_CODES]),
        ),
        render_acceleration,
    ),
    "sleepeeg": Geometry(("W", "N1", "N2", "N3", "REM"), 100, 1, (10, 420), (10, 24), plan_sleep, render_eeg),
    "ecg": Geometry(
        RHYTHMS,
        250,
        2,
        (16, 60),
        (12, 6),
        partial(plan_bouts, share=RHYTHM_SHARE, mean_bout=RHYTHM_BOUT, follows=RHYTHM_FOLLOWS),
        render_ecg,
    ),
}


def simulate(name: str, *, seed: int = 0, quick: bool = False) -> RecordingSet:
    """Simulate a data set.

    Parameters
    ----------
    name : str
        `harth`, `sleepeeg` or `ecg`, followed by `-sim` or, for white noise, by `-noise`.
    seed : int
        The same seed gives the same bits; each recording has generators of its own.
    quick : bool
        Fewer or shorter recordings that still show all classes.

    Returns
    -------
    RecordingSet
        Values float32 `(samples, channels)` in g, microvolt or millivolt; noise has unit variance.

    Raises
    ------
    InputError
        For any other name.
    """
    base, _, kind = name.rpartition("-")
    if base not in GEOMETRIES or kind not in ("sim", "noise"):
        raise InputError(
            "no simulator of this name",
            found=repr(name),
            wanted=", ".join(f"{known}-{suffix}" for suffix in ("sim", "noise") for known in GEOMETRIES),
        )
    geometry = GEOMETRIES[base]
    count, minutes = geometry.quick if quick else geometry.full
    recordings = []
    for number, person in enumerate(np.random.SeedSequence(seed).spawn(count), start=1):
        for_labels, for_signal = map(np.random.default_rng, person.spawn(2))
        labels = geometry.plan(for_labels, 60 * minutes, minutes / geometry.full[1], geometry.rate)
        if kind == "sim":
            values = geometry.render(for_signal, labels, geometry.rate)
        else:
            values = for_signal.standard_normal((len(labels), geometry.channels), dtype=np.float32)
        recordings.append(
            Recording(f"{name}-{number:02d}", f"{number:02d}", values.astype(np.float32), labels.astype(np.int64))
        )
    return RecordingSet(name, "simulated", geometry.classes, float(geometry.rate), tuple(recordings))
