"""The frame cache: the same data set bit for bit, and whatever can be wrong with a cache."""

import json
import os
import resource
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emargin.config import Experiment
from emargin.data import cache, loading
from emargin.data.catalogue import entry_of
from emargin.data.checksums import files_digest
from emargin.data.loading import load
from emargin.data.recordings import Recording, RecordingSet
from emargin.errors import InputError
from emargin.resolve import resolve


@pytest.fixture(autouse=True)
def root(monkeypatch, tmp_path):
    """The folder of the caches; sets of any size are cached."""
    monkeypatch.setenv("EMARGIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "SMALLEST", 0)
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    """Six people, one of them with two recordings, one of these shorter than a frame."""
    folder, generator = tmp_path / "own", np.random.default_rng(0)
    folder.mkdir()
    (folder / "dataset.json").write_text(json.dumps({"classes": ["a", "b"], "sampling_rate": 8}))

    def signal(samples):
        return generator.standard_normal((samples, 3)).astype(np.float32)

    for person in range(6):
        arrays = {"signal": signal(900 + person), "labels": generator.integers(-1, 2, 900 + person)}
        if person == 5:
            arrays = {f"{name}_0": array for name, array in arrays.items()}
            arrays |= {"signal_1": signal(7), "labels_1": np.zeros(7, np.int64)}
        np.savez(folder / f"p{person}.npz", **arrays)
    return folder


def experiment(folder, **fields) -> Experiment:
    return resolve(Experiment(**{"dataset": str(folder), "sequence_length": 20, "batch_size": 2} | fields))


def bits(dataset) -> list:
    tensors = [tensor for side in (dataset.train, dataset.test) for tensor in (side.frames, side.labels, side.starts)]
    return [(tensor.dtype, tensor.shape, tensor.numpy().tobytes()) for tensor in tensors] + [
        dataset.name,
        dataset.source,
        dataset.classes,
        dataset.draw,
        dataset.checksum,
    ]


def uncached(cell: Experiment, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(cache, "SMALLEST", 10**12)
        return bits(load(cell))


def only(root):
    (place,) = root.iterdir()
    return place


@pytest.fixture
def unread(monkeypatch):
    """Makes reading the recordings an error."""

    def forbid():
        monkeypatch.setattr(loading, "load_recordings", lambda cell: pytest.fail("the recordings were read"))

    return forbid


@pytest.mark.parametrize("protocol", ["original", "released"])
@pytest.mark.parametrize("hop", [4, 5])
def test_data_are_the_same_bits_without_a_cache_with_a_new_one_and_with_an_old_one(
    folder, monkeypatch, root, unread, protocol, hop
):
    cell = experiment(folder, protocol=protocol, hop=hop)
    wanted = uncached(cell, monkeypatch)
    assert not root.exists()
    assert bits(load(cell)) == wanted
    assert sorted(path.name for path in only(root).iterdir()) == ["frames.npy", "header.json", "labels.npy"]
    unread()
    assert bits(load(cell)) == wanted


def test_features_are_cached_as_they_are(folder, monkeypatch, unread):
    (folder / "dataset.json").write_text(json.dumps({"classes": ["a", "b"]}))
    for path in folder.glob("*.npz"):
        with np.load(path) as arrays:
            arrays = {name.replace("signal", "features"): array for name, array in arrays.items()}
        np.savez(path, **arrays)
    for protocol in ("original", "released"):
        cell = experiment(folder, protocol=protocol)
        wanted = uncached(cell, monkeypatch)
        assert bits(load(cell)) == wanted
    unread()
    assert bits(load(cell)) == wanted


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=4),
    st.integers(2, 20),
    st.integers(1, 20),
    st.booleans(),
    st.booleans(),
)
def test_every_recording_comes_back_as_framing_made_it(tmp_path_factory, lengths, n_fft, hop, joined, own_border):
    generator = np.random.default_rng(0)
    recordings = RecordingSet(
        "own",
        "real",
        ("a", "b"),
        1.0,
        tuple(
            Recording(
                f"r{number}",
                f"s{number}",
                generator.standard_normal((length, 2)).astype(np.float32),
                generator.integers(-1, 2, length),
            )
            for number, length in enumerate(lengths)
        ),
        test_subjects=(frozenset({"s0", "s1"}),),
        test_from=f"r{len(lengths) // 2}" if own_border else None,
    )
    folder = tmp_path_factory.mktemp("set")
    (folder / "file").write_bytes(b"content")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMARGIN_CACHE", str(folder / "cache"))
        cached, checksum = cache.framed(
            "own", [folder / "file"], lambda: (recordings, "sum"), n_fft=n_fft, hop=hop, joined=joined
        )
    assert checksum == "sum" and cached.framed
    assert (cached.name, cached.source, cached.classes, cached.test_subjects, cached.test_from) == (
        recordings.name,
        recordings.source,
        recordings.classes,
        recordings.test_subjects,
        recordings.test_from,
    )
    wanted = list(cache._pieces(recordings, n_fft, hop, joined))
    border = len(lengths) // 2 if own_border else 0
    if joined:
        lengths = [sum(side) for side in (lengths[:border], lengths[border:]) if side]
    assert len(cached.recordings) == len(wanted) == len(lengths)
    for kept, made, length in zip(cached.recordings, wanted, lengths, strict=True):
        assert (kept.name, kept.subject) == (made.name, made.subject)
        assert kept.values.dtype == np.float32 and kept.labels.dtype == np.int64
        assert np.array_equal(kept.values, made.values) and np.array_equal(kept.labels, made.labels)
        assert len(kept.values) == max(0, (length - n_fft) // hop + 1)


def test_frames_are_mapped_from_the_disk_and_cannot_be_written(folder):
    cell = experiment(folder)
    load(cell)
    cached, _ = cache.framed(str(folder), entry_of(str(folder)).paths, None, n_fft=8, hop=4, joined=False)
    base = cached.recordings[0].values
    assert not base.flags.writeable
    while not isinstance(base, np.memmap):
        base = base.base
    assert str(base.filename).endswith("frames.npy")


def test_each_framing_each_set_and_each_way_of_joining_has_its_own_cache(folder, root):
    for fields in ({}, {"hop": 3}, {"n_fft": 9}, {"protocol": "released"}):
        load(experiment(folder, **fields))
    assert len(list(root.iterdir())) == 4
    cache.framed(
        "another name",
        entry_of(str(folder)).paths,
        lambda: loading.load_recordings(experiment(folder)),
        n_fft=8,
        hop=4,
        joined=False,
    )
    assert len(list(root.iterdir())) == 5
    load(experiment(folder, seed=2, sequence_length=10, stride=3))
    assert len(list(root.iterdir())) == 5, "sequences are cut from the frames, and need no other ones"


def test_small_sets_are_not_cached(folder, root, monkeypatch):
    monkeypatch.setattr(cache, "SMALLEST", sum(path.stat().st_size for path in folder.iterdir()) + 1)
    load(experiment(folder))
    assert not root.exists()


def change(folder):
    with np.load(folder / "p0.npz") as arrays:
        arrays = dict(arrays)
    arrays["signal"][0] += 1
    np.savez(folder / "p0.npz", **arrays)  # of the same size
    os.utime(folder / "p0.npz", ns=(1, 1))


def remove(folder):
    (folder / "p0.npz").unlink()


def rename(folder):
    (folder / "p0.npz").rename(folder / "p9.npz")


@pytest.mark.parametrize("alter", [change, remove, rename])
def test_changed_files_are_noticed_and_framed_again(folder, root, monkeypatch, capsys, unread, alter):
    cell = experiment(folder)
    before = bits(load(cell))
    alter(folder)
    wanted = uncached(cell, monkeypatch)
    assert wanted != before
    assert bits(load(cell)) == wanted
    assert capsys.readouterr().err == (
        f"frame cache {only(root)}: the files of the set have changed; building it again\n"
    )
    unread()
    assert bits(load(cell)) == wanted and capsys.readouterr().err == ""


def test_files_that_were_only_touched_are_read_once_to_see_that_they_are_the_same(folder, capsys, unread, monkeypatch):
    cell = experiment(folder)
    before = bits(load(cell))
    os.utime(folder / "p0.npz", ns=(1, 1))
    unread()
    assert bits(load(cell)) == before and capsys.readouterr().err == ""
    monkeypatch.setattr(cache, "files_digest", lambda files: pytest.fail("the files were read again"))
    assert bits(load(cell)) == before


def cut_frames(place):
    (place / "frames.npy").write_bytes((place / "frames.npy").read_bytes()[:-1])


def lose_labels(place):
    (place / "labels.npy").unlink()


def lose_a_frame(place):
    """A cut that leaves a whole file."""
    np.save(place / "frames.npy", np.load(place / "frames.npy")[:-1])


def edit_header(place):
    content = json.loads((place / "header.json").read_text())
    content["header"]["pieces"][0][1] = "p1"
    (place / "header.json").write_text(json.dumps(content))


def other_content(place):
    (place / "header.json").write_text("[]")


def empty_header(place):
    (place / "header.json").write_text("")


def flip(name, place_in_file):
    def damage(place):
        path = place / name
        content = bytearray(path.read_bytes())
        content[place_in_file] ^= 16
        path.write_bytes(content)

    return damage


def no_folder(place):
    for path in place.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        cut_frames,
        lose_labels,
        lose_a_frame,
        edit_header,
        other_content,
        empty_header,
        no_folder,
        *(flip("frames.npy", place) for place in (3, 9, 30, 60, 500, -1)),
        *(flip("labels.npy", place) for place in (3, 9, 30, 60, 200, -8)),
        *(flip("header.json", place) for place in (0, 5, 40, 300, -3)),
    ],
)
def test_a_damaged_cache_is_noticed_and_built_again(folder, root, capsys, unread, damage):
    cell = experiment(folder)
    before = bits(load(cell))
    damage(only(root))
    assert bits(load(cell)) == before
    message = capsys.readouterr().err
    assert message.startswith(f"frame cache {only(root)}: damaged: ") and message.count("\n") == 1
    unread()
    assert bits(load(cell)) == before and capsys.readouterr().err == ""


def test_a_cache_of_another_version_is_built_again(folder, root, monkeypatch, capsys):
    cell = experiment(folder)
    before = bits(load(cell))
    monkeypatch.setattr(cache, "code", lambda: "newer")
    assert bits(load(cell)) == before
    assert "made by another version; building it again" in capsys.readouterr().err
    assert json.loads((only(root) / "header.json").read_text())["header"]["code"] == "newer"


def test_a_cache_of_another_format_is_built_again(folder, root, monkeypatch, capsys):
    cell = experiment(folder)
    before = bits(load(cell))
    monkeypatch.setattr(cache, "FORMAT", 3)
    assert bits(load(cell)) == before
    assert "made by another version; building it again" in capsys.readouterr().err


def test_frames_are_compared_with_their_checksum_once_a_process(folder, monkeypatch):
    cell, read = experiment(folder), []
    load(cell)
    content = cache._content
    monkeypatch.setattr(cache, "_content", lambda place: read.append(place) or content(place))
    load(cell)
    assert not read
    cache._verified.clear()  # as in a new process
    load(cell)
    load(cell)
    assert len(read) == 1


def test_what_a_killed_process_left_beside_the_caches_is_cleared_by_the_next(folder, root):
    left, alive = root / ".emargin-0.part", root / "mine"
    for place in (left, alive):
        place.mkdir(parents=True)
        (place / "frames.npy").touch()
    load(experiment(folder))
    assert not left.exists() and alive.exists()


def test_a_long_name_of_a_folder_is_cut_in_the_name_of_its_cache(folder, root):
    longer = folder.rename(folder.with_name("n" * 250))
    load(experiment(longer))
    assert only(root).name.startswith("n" * 60 + "-")


def test_the_version_covers_the_modules_that_make_frames_and_torch():
    cache.code.cache_clear()
    assert files_digest(cache.Path(cache.__file__).parent.rglob("*.py"))[:16] in cache.code()
    assert f"torch-{torch.__version__.split('+')[0]}" in cache.code()


def test_a_disk_that_fills_leaves_nothing_and_the_run_goes_on(folder, root, monkeypatch):
    cell = experiment(folder)
    wanted = uncached(cell, monkeypatch)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.warns(UserWarning, match="could not be cached in .*too large.*EMARGIN_CACHE"):
            loaded = bits(load(cell))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert loaded == wanted and list(root.iterdir()) == []
    assert bits(load(cell)) == wanted and only(root)


def test_a_cache_that_cannot_be_written_is_a_warning(folder, root, monkeypatch):
    cell = experiment(folder)
    wanted = uncached(cell, monkeypatch)
    root.write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="could not be cached"):
        assert bits(load(cell)) == wanted


def test_what_the_reader_warned_of_is_said_each_time(folder, monkeypatch):
    read = loading.load_recordings

    def warning_reader(cell):
        warnings.warn("holes are joined", stacklevel=1)
        return read(cell)

    monkeypatch.setattr(loading, "load_recordings", warning_reader)
    for _ in range(3):
        with pytest.warns(UserWarning, match="holes are joined") as caught:
            load(experiment(folder))
        assert len(caught) == 1


def test_an_interruption_while_caching_leaves_nothing(folder, root, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(cache, "_write_header", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load(experiment(folder))
    assert list(root.iterdir()) == []


def test_a_cache_that_may_not_be_written_still_serves_frames(folder, monkeypatch):
    first = bits(load(experiment(folder)))
    for file in folder.iterdir():
        os.utime(file, (1, 1))

    def refuse(*arguments):
        raise PermissionError("read-only")

    monkeypatch.setattr(cache, "_write_header", refuse)
    assert bits(load(experiment(folder))) == first


@pytest.mark.parametrize("rate", ["50", float("nan"), [50], True, 0])
def test_a_sampling_rate_that_is_no_number_is_named(folder, rate):
    (folder / "dataset.json").write_text(json.dumps({"classes": ["a", "b"], "sampling_rate": rate}))
    with pytest.raises(InputError, match="dataset.json: sampling_rate is missing or cannot be used"):
        experiment(folder)


def test_the_default_place_is_one_that_git_ignores(monkeypatch):
    monkeypatch.delenv("EMARGIN_CACHE")
    assert cache.cache_root() == cache.home() / "runs" / "cache"
    assert (cache.home() / "runs" / ".gitignore").read_text().splitlines() == ["*", "!.gitignore"]
