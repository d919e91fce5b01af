"""Archives of encoders: the same encoders come out, and of a bad archive nothing does."""

import copy
import hashlib
import io
import json
import pickle
import random
import shutil
import zipfile

import numpy as np
import pytest
import torch

from companion import encoders
from companion.__main__ import main
from companion.encoders import MANIFEST, pack, unpack
from companion.grid import plan as grid
from companion.grid.plan import cell_folder, read_grid
from companion.grid.runner import run_grid
from companion.grid.score import score_cells
from companion.grid.store import Store
from emargin.encoder_files import load_trained, read_encoder, write_encoder
from emargin.errors import InputError
from emargin.evaluation.features import encode
from emargin.resolve import resolve
from emargin.state import read_state, save_atomically
from emargin.training import build
from tests.conftest import make_dataset, without_further_probes

CELL = {"dataset": "ecg-sim", "iterations": 4, "sequence_length": 10, "batch_size": 2}
CHECKSUM = "ecg-sim seed 0 full"
TOLERANCE = 2e-3  # of an embedding's values by half precision, relative to the largest; and of scores between 0 and 1


def small_data():
    dataset = make_dataset()
    object.__setattr__(dataset, "checksum", CHECKSUM)
    object.__setattr__(dataset, "standardisation", (torch.arange(6.0), torch.ones(6) / 3))
    return dataset


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A grid file of three cells, the rows in `out`, and the encoders in `cells`: made once, never written to."""
    folder = tmp_path_factory.mktemp("ran")
    (folder / "small.json").write_text(json.dumps([CELL | {"method": ["random-calibrated", "emargin", "simmtm"]}]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMARGIN_CACHE", str(folder / "cache"))
        patch.setattr("companion.grid.runner.load", lambda cell: small_data())
        patch.setattr("companion.grid.runner.is_drawn", lambda cell: False)
        without_further_probes(patch)
        run_grid(folder / "small.json", folder / "out", progress=False, device="cpu", cells_folder=folder / "cells")
    return folder


@pytest.fixture
def cells(ran):
    return read_grid(ran / "small.json")


@pytest.fixture
def archive(ran, tmp_path):
    pack(ran / "cells", tmp_path / "encoders.zip")
    return tmp_path / "encoders.zip"


def states(folder, cells):
    return [torch.load(cell_folder(cell, folder) / "encoder.pt", weights_only=True) for cell in cells]


def rewritten(archive, changed=None, *, manifest=None, extra=None, compression=zipfile.ZIP_STORED):
    """The archive with other members, and a list that agrees with them: what someone with bad intentions can write."""
    with zipfile.ZipFile(archive) as there:
        members = {name: there.read(name) for name in there.namelist()}
    members |= changed or {}
    listed = json.loads(members.pop(MANIFEST))
    for name, content in (changed or {}).items():
        folder, _, part = name.partition("/")
        listed["encoders"][folder]["members"][part] = hashlib.sha256(content).hexdigest()
    if manifest:
        manifest(listed)
    with zipfile.ZipFile(archive, "w", compression) as written:
        for name, content in (members | (extra or {})).items():
            written.writestr(name, content)
        written.writestr(MANIFEST, json.dumps(listed))


def first_weights(archive):
    with zipfile.ZipFile(archive) as there:
        return next(name for name in there.namelist() if "/method/" in name and name.endswith("weight.npy"))


def refused(archive, folder, match):
    with pytest.raises(InputError, match=match):
        unpack(archive, folder)
    assert not folder.exists()


def test_a_round_trip_gives_the_same_bits(ran, cells, archive, tmp_path):
    outcome = unpack(archive, tmp_path / "cells")
    assert (outcome.number, outcome.present, outcome.left_out) == (3, 0, [])
    for before, after, cell in zip(states(ran / "cells", cells), states(tmp_path / "cells", cells), cells, strict=True):
        assert before.keys() == after.keys() and before["method"].keys() == after["method"].keys()
        assert {name: after[name] for name in encoders.KEPT} == {name: before[name] for name in encoders.KEPT}
        assert after["threads"] == before["threads"] == 1
        for name, tensor in before["method"].items():
            assert tensor.dtype == after["method"][name].dtype and torch.equal(tensor, after["method"][name])
        assert all(map(torch.equal, before["standardisation"], after["standardisation"]))
        places = [cell_folder(cell, folder / "cells") for folder in (ran, tmp_path)]
        assert len({(place / "curve.csv").read_bytes() for place in places}) == 1
        assert read_encoder(places[1], cell, small_data()) is not None, "a run goes on from it"


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_same_encoders_give_the_same_bytes(ran, tmp_path, dtype):
    shutil.copytree(ran / "cells", tmp_path / "copy")
    first = pack(ran / "cells", tmp_path / "first.zip", dtype)
    second = pack(tmp_path / "copy", tmp_path / "second.zip", dtype)
    content = (tmp_path / "first.zip").read_bytes()
    assert content == (tmp_path / "second.zip").read_bytes()
    assert first.checksum == second.checksum == hashlib.sha256(content).hexdigest() and first.number == 3
    assert unpack(tmp_path / "first.zip", tmp_path / "cells").number == 3
    pack(tmp_path / "cells", tmp_path / "third.zip", dtype)
    assert content == (tmp_path / "third.zip").read_bytes()


def test_half_precision_rounds_weights_alone(ran, cells, tmp_path):
    pack(ran / "cells", tmp_path / "half.zip", "float16")
    pack(ran / "cells", tmp_path / "whole.zip")
    assert (tmp_path / "half.zip").stat().st_size < 0.6 * (tmp_path / "whole.zip").stat().st_size
    unpack(tmp_path / "half.zip", tmp_path / "cells")
    rounded = kept = 0
    for before, after in zip(states(ran / "cells", cells), states(tmp_path / "cells", cells), strict=True):
        assert after["weights"] == "float16"
        assert all(map(torch.equal, before["standardisation"], after["standardisation"]))
        for name, tensor in before["method"].items():
            assert after["method"][name].dtype == tensor.dtype
            if name.endswith(("running_mean", "running_var", "num_batches_tracked")):
                assert torch.equal(after["method"][name], tensor)
                kept += 1
            else:
                assert torch.equal(after["method"][name], tensor.half().float())
                rounded += not torch.equal(after["method"][name], tensor)
    assert rounded and kept


def test_half_precision_changes_embeddings_and_scores_within_the_tolerance(ran, cells, tmp_path, monkeypatch):
    pack(ran / "cells", tmp_path / "half.zip", "float16")
    unpack(tmp_path / "half.zip", tmp_path / "cells")
    for cell in cells:
        whole, half = (
            encode(load_trained(cell_folder(cell, place / "cells") / "encoder.pt", cell, small_data())[0], data)
            for place in (ran, tmp_path)
            for data in [small_data().test]
        )
        difference = (whole.embedding - half.embedding).abs().max() / whole.embedding.abs().max()
        assert 0 < difference < TOLERANCE
    monkeypatch.setattr("companion.grid.score.load", lambda cell: small_data())
    monkeypatch.setattr("companion.grid.score.is_drawn", lambda cell: False)
    without_further_probes(monkeypatch)
    words = ["score", str(ran / "small.json"), "--out", str(tmp_path / "out"), "--device", "cpu"]
    assert main([*words, "--cells", str(tmp_path / "cells")]) == 0
    exact, rounded = (Store(folder / "out").rows.set_index(["digest", "metric"]).value for folder in (ran, tmp_path))
    assert set(exact.index) == set(rounded.index)
    for metric in ("silhouette", "accuracy", "macro_f1", "nmi", "mean_cosine"):
        values = [side.xs(metric, level="metric").sort_index().to_numpy() for side in (exact, rounded)]
        np.testing.assert_allclose(*values, atol=TOLERANCE)
    assert {r["scored"]["all"]["weights"] for r in Store(tmp_path / "out").records.values()} == {"float16"}


def test_a_run_does_not_take_rounded_weights_for_trained_ones(ran, cells, tmp_path):
    pack(ran / "cells", tmp_path / "half.zip", "float16")
    unpack(tmp_path / "half.zip", tmp_path / "cells")
    place = cell_folder(cells[1], tmp_path / "cells")
    assert read_encoder(place, cells[1], small_data()) is None and (place / "encoder.pt").exists()


def test_reproduce_takes_no_rounded_weights(ran, cells, tmp_path, monkeypatch):
    monkeypatch.setattr("companion.grid.score.load", lambda cell: small_data())
    pack(ran / "cells", tmp_path / "half.zip", "float16")
    unpack(tmp_path / "half.zip", tmp_path / "cells")
    problems = score_cells(cells, Store(tmp_path / "out"), root=tmp_path / "cells", device="cpu", exact=True)
    assert len(problems) == 3 and all("encoder.pt is rounded. found: float16" in str(problem) for problem in problems)
    assert not (tmp_path / "out").exists()


def test_what_was_rounded_once_says_so_for_good(ran, cells, tmp_path):
    pack(ran / "cells", tmp_path / "half.zip", "float16")
    unpack(tmp_path / "half.zip", tmp_path / "cells")
    pack(tmp_path / "cells", tmp_path / "again.zip", "float32")
    unpack(tmp_path / "again.zip", tmp_path / "more")
    assert {state["weights"] for state in states(tmp_path / "more", cells)} == {"float16"}


def test_encoders_that_are_there_stay_and_rounded_ones_give_way(ran, cells, archive, tmp_path):
    pack(ran / "cells", tmp_path / "half.zip", "float16")
    assert unpack(tmp_path / "half.zip", tmp_path / "cells").number == 3
    assert unpack(tmp_path / "half.zip", tmp_path / "cells").present == 3
    assert unpack(archive, tmp_path / "cells").number == 3
    outcome = unpack(tmp_path / "half.zip", tmp_path / "cells")
    assert (outcome.number, outcome.present) == (0, 3)
    (cell_folder(cells[0], tmp_path / "cells") / "encoder.pt").write_bytes(b"damaged")
    assert unpack(archive, tmp_path / "cells").number == 1


# --- bad input


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.999])
def test_a_truncated_archive_is_refused(archive, tmp_path, share):
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    refused(archive, tmp_path / "cells", "encoders.zip cannot be read. found: .*. wanted: .*. what to do: get it again")


def test_no_flipped_bit_gives_other_encoders(ran, cells, archive, tmp_path):
    content, draws, caught = archive.read_bytes(), random.Random(1), 0
    ends = [draws.randrange(len(content) - 3000, len(content)) for _ in range(15)]  # the list of members
    for place in [draws.randrange(len(content)) for _ in range(15)] + ends:
        flipped = bytearray(content)
        flipped[place] ^= 1 << draws.randrange(8)
        archive.write_bytes(flipped)
        try:
            unpack(archive, tmp_path / "cells")
        except InputError:
            caught += 1
            assert not (tmp_path / "cells").exists()
            continue
        for before, after in zip(states(ran / "cells", cells), states(tmp_path / "cells", cells), strict=True):
            assert all(torch.equal(tensor, after["method"][name]) for name, tensor in before["method"].items())
        shutil.rmtree(tmp_path / "cells")
    assert caught >= 15


def test_a_member_that_is_not_what_the_list_says_is_refused(archive, tmp_path):
    name = first_weights(archive)
    folder, _, part = name.partition("/")

    def other(listed):
        listed["encoders"][folder]["members"][part] = "0" * 64

    rewritten(archive, manifest=other)
    refused(archive, tmp_path / "cells", rf"{name} is damaged. found: SHA-256 .*. wanted: 0{{64}}")


@pytest.mark.parametrize(
    "name",
    [
        "../evil.npy",
        "/etc/evil.npy",
        "0123456789abcdef-01234567/method/../../evil.npy",
        "0123456789abcdef-01234567/method/a/evil.npy",
        "C:\\evil.npy",
        "encoder.pt",
        "data.pkl",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(archive, tmp_path, name):
    rewritten(archive, extra={name: b"evil"})
    refused(archive, tmp_path / "cells", "is no archive of encoders. found: a member")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["encoders.zip"]


@pytest.mark.parametrize(
    ("manifest", "match"),
    [
        (lambda m: m.update(format="emargin encoders 9"), "found: format 'emargin encoders 9'"),
        (lambda m: m.update(dtype="int4"), "unknown dtype of weights. found: 'int4'. wanted: float32 or float16"),
        (
            lambda m: next(iter(m["encoders"].values())).update(weights="bf16"),
            "unknown dtype of weights. found: 'bf16'",
        ),
        (lambda m: m.update(encoders=[1]), "a manifest with AttributeError"),
        (lambda m: next(iter(m["encoders"].values())).pop("origin"), "without origin"),
        (lambda m: next(iter(m["encoders"].values())).update(origin={}), "without its training"),
        (lambda m: next(iter(m["encoders"].values())).update(origin=["code", "data"]), "with origin .*an object as"),
        (lambda m: next(iter(m["encoders"].values())).update(experiment="x"), "with experiment 'x'"),
        (lambda m: next(iter(m["encoders"].values())).update(members=[]), "with members "),
        (lambda m: next(iter(m["encoders"].values()))["members"].pop("curve.csv"), "curve.csv, not listed"),
        (lambda m: next(iter(m["encoders"].values()))["members"].update({"method/x.npy": ""}), "x.npy, not there"),
        (lambda m: next(iter(m["encoders"].values())).update(n_features=7), "not the tensors of"),
        (lambda m: next(iter(m["encoders"].values())).update(n_features="six"), "not the tensors of"),
    ],
)
def test_a_list_that_is_not_ours_is_refused(archive, tmp_path, manifest, match):
    rewritten(archive, manifest=manifest)
    refused(archive, tmp_path / "cells", match)


def test_a_compressed_archive_is_refused_before_it_unfolds(archive, tmp_path):
    rewritten(archive, compression=zipfile.ZIP_DEFLATED)
    refused(archive, tmp_path / "cells", "found: a compressed member")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(archive, tmp_path):
    with zipfile.ZipFile(archive, "a") as there:
        there.writestr(first_weights(archive), b"other")
    refused(archive, tmp_path / "cells", "weight.npy twice")


class Bomb:
    """Leaves a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_what_a_stranger_pickled_is_never_unpickled(archive, tmp_path):
    bomb, stream = Bomb(tmp_path / "exploded"), io.BytesIO()
    np.save(stream, np.array([bomb], dtype=object), allow_pickle=True)
    rewritten(archive, {first_weights(archive): stream.getvalue()})
    refused(archive, tmp_path / "cells", "is no array of numbers.*not pickled")
    rewritten(archive, {first_weights(archive): pickle.dumps(bomb)})
    refused(archive, tmp_path / "cells", "is no array of numbers")
    archive.write_bytes(pickle.dumps(bomb))
    refused(archive, tmp_path / "cells", "cannot be read")
    torch.save({"weights": bomb}, archive)
    refused(archive, tmp_path / "cells", "is no archive of encoders")
    place = tmp_path / "strange" / "cell"
    place.mkdir(parents=True)
    torch.save({"experiment": bomb}, place / "encoder.pt")
    with pytest.raises(InputError, match="encoder.pt cannot be read"):
        pack(tmp_path / "strange", tmp_path / "strange.zip")
    assert not (tmp_path / "exploded").exists() and not (tmp_path / "strange.zip").exists()
    pickle.loads(pickle.dumps(bomb)).close()
    assert (tmp_path / "exploded").exists(), "it would have shown"


def test_an_array_of_another_kind_is_refused(archive, tmp_path):
    for kind in ("<c8", "<U3", ">f4"):
        stream = io.BytesIO()
        np.save(stream, np.zeros(3, kind))
        rewritten(archive, {first_weights(archive): stream.getvalue()})
        refused(archive, tmp_path / "cells", f"unknown dtype. found: {kind}")


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def member(archive, part):
    """The first member of that name, and the array in it."""
    with zipfile.ZipFile(archive) as there:
        name = next(name for name in there.namelist() if name.endswith(part))
        return name, np.load(io.BytesIO(there.read(name)))


@pytest.mark.parametrize(
    ("part", "change", "match"),
    [
        ("weight.npy", lambda a: np.where(a == a.flat[0], np.nan, a), "a number in .*weight that is not finite"),
        ("weight.npy", lambda a: np.where(a == a.flat[0], np.inf, a), "a number in .*weight that is not finite"),
        ("running_var.npy", lambda a: -a, "a spread in .*running_var that is not positive"),
        ("std.npy", lambda a: 0 * a, "a spread in standardisation/std that is not positive"),
        ("/mean.npy", lambda a: a * np.nan, "a number in standardisation/mean that is not finite"),
        ("/mean.npy", lambda a: a[:-1], r"standardisation/mean of torch.float32 and shape \(5,\), for 6 features"),
        ("/mean.npy", lambda a: a.astype("<f8"), "standardisation/mean of torch.float64"),
        ("weight.npy", lambda a: a.astype("<f8"), "weight of torch.float64 and shape .*, not torch.float32"),
        ("weight.npy", lambda a: a.astype("<i4"), "weight of torch.int32"),
        ("weight.npy", lambda a: a > 0, "weight of torch.bool"),
        ("weight.npy", lambda a: a.astype("<f2"), "rounded numbers. found: <f2. wanted: float32"),
        ("weight.npy", lambda a: a[..., :-1], "weight of torch.float32 and shape"),
        ("num_batches_tracked.npy", lambda a: a.astype("<f4"), "num_batches_tracked of torch.float32"),
    ],
)
def test_numbers_that_no_training_leaves_are_refused(archive, tmp_path, part, change, match):
    name, array = member(archive, part)
    rewritten(archive, {name: npy(change(array))})
    refused(archive, tmp_path / "cells", match)


def test_an_array_that_says_it_is_larger_than_it_is_takes_no_memory(archive, tmp_path):
    name, array = member(archive, "weight.npy")
    whole = npy(array)
    header = str(array.shape).encode()
    claimed = b"(%d,)" % 10**12
    content = whole.replace(header + b", }", claimed + b", }").replace(
        b" " * (len(claimed) - len(header)) + b"\n", b"\n"
    )
    assert len(content) == len(whole) and claimed in content
    rewritten(archive, {name: content})
    refused(archive, tmp_path / "cells", r"is no array of numbers. found: shape \(1000000000000,\) of <f4 in")


def with_entry(**changes):
    def change(listed):
        for entry in listed["encoders"].values():
            entry.update({name: value for name, value in changes.items() if name in entry})
            entry["experiment"].update({name: value for name, value in changes.items() if name in entry["experiment"]})

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (with_entry(n_features=10**12), "found: 1000000000000 features, and [0-9]+ numbers in all"),
        (with_entry(n_features=True), "found: True features"),
        (with_entry(n_features=0), "found: 0 features"),
        (with_entry(n_features=1500), "of torch.float32 and shape|for 1500 features"),
        (with_entry(classes=[1]), r"with classes \[1\]"),
        (with_entry(classes="abcd"), "with classes 'abcd'"),
    ],
)
def test_sizes_are_compared_before_anything_of_that_size_is_made(archive, tmp_path, change, match, monkeypatch):
    monkeypatch.setattr(encoders, "build", lambda *a: pytest.fail("it was built"))
    rewritten(archive, manifest=change)
    refused(archive, tmp_path / "cells", match)


def test_weights_for_other_features_are_refused_before_a_method_of_that_size_is_built(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(encoders, "build", lambda *a: pytest.fail("it was built"))
    with zipfile.ZipFile(archive) as there:
        names = [name for name in there.namelist() if "/standardisation/" in name]
    rewritten(archive, dict.fromkeys(names, npy(np.ones(1500, np.float32))), manifest=with_entry(n_features=1500))
    refused(archive, tmp_path / "cells", r"shape \(.*\), not torch.float32 and \(.*1500")


def test_a_list_that_is_too_deep_is_refused(archive, tmp_path):
    with zipfile.ZipFile(archive) as there:
        members = {name: there.read(name) for name in there.namelist()}
    with zipfile.ZipFile(archive, "w") as written:
        for name, content in (members | {MANIFEST: b"[" * 100_000}).items():
            written.writestr(name, content)
    refused(archive, tmp_path / "cells", "found: a manifest with RecursionError")


@pytest.mark.parametrize("curve", [b"step,loss\n1,two\n", b"\xff\xfe", b"step\n1,2\n3,4,5\n"])
def test_a_curve_that_is_no_table_of_numbers_is_refused(archive, tmp_path, curve):
    name = first_weights(archive).partition("/")[0] + "/curve.csv"
    rewritten(archive, {name: curve})
    refused(archive, tmp_path / "cells", "curve.csv is no curve of a training")


def test_members_that_lie_over_one_another_are_refused(archive, tmp_path):
    """A list of members may name the same bytes often, and so unfold to any size."""
    with zipfile.ZipFile(archive, "a") as there:
        twice = copy.copy(there.getinfo(first_weights(archive)))
        for number in range(9000):
            twice = copy.copy(twice)
            twice.filename = f"0123456789abcdef-01234567/method/w{number}.npy"
            there.filelist.append(twice)
        there._didModify = True
    refused(archive, tmp_path / "cells", "found: members of [0-9,]+ bytes. wanted: at most the [0-9,]+ of the file")


def test_what_holds_more_than_tensors_is_named_and_left_out(ran, cells, tmp_path):
    shutil.copytree(ran / "cells", tmp_path / "cells")
    method = resolve(cells[1].for_method("infots", "original"))
    place = cell_folder(method, tmp_path / "cells")
    place.mkdir()
    write_encoder(place, method, small_data(), build(method, 6), [{"step": 1.0, "loss": 1.0}])
    outcome = pack(tmp_path / "cells", tmp_path / "encoders.zip")
    (problem,) = outcome.left_out
    assert outcome.number == 3 and "infots" in str(problem) and "holds more than tensors" in str(problem)


def other_code(listed):
    next(iter(listed["encoders"].values()))["origin"]["code"][1] = "of others"


def other_data(listed):
    next(iter(listed["encoders"].values()))["origin"]["data"] = "of others"


def other_version(listed):
    next(iter(listed["encoders"].values()))["experiment"]["method"] = "of-others"


def own_method(listed):
    next(iter(listed["encoders"].values()))["experiment"]["method"] = "of_others:Method"


def test_no_module_is_imported_because_an_archive_names_it(archive, tmp_path, monkeypatch):
    (tmp_path / "of_others.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    rewritten(archive, manifest=own_method)
    (problem,) = unpack(archive, tmp_path / "cells").left_out
    assert "found: of_others:Method. wanted: a method that emargin methods lists" in str(problem)
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("change", [other_code, other_data, other_version])
def test_an_encoder_of_another_training_is_named_and_left_out(cells, archive, tmp_path, capsys, change):
    rewritten(archive, manifest=change)
    assert main(["encoders", "unpack", str(archive), str(tmp_path / "cells")]) == 2
    output = capsys.readouterr()
    assert "of others" in output.err or "of-others" in output.err
    assert change is other_version or any(
        f"the encoder of {cell} in {archive} is of an" in output.err for cell in cells
    )
    assert f"2 encoders unpacked into {tmp_path / 'cells'}" in output.out
    assert len(list((tmp_path / "cells").glob("*/encoder.pt"))) == 2


def test_encoders_of_data_that_are_not_here_are_unpacked(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(encoders, "checksum_of", lambda cell: None)
    rewritten(archive, manifest=other_data)
    assert unpack(archive, tmp_path / "cells").number == 3


def test_packing_leaves_out_what_other_code_trained_and_refuses_a_damaged_encoder(ran, cells, tmp_path):
    shutil.copytree(ran / "cells", tmp_path / "cells")
    file = cell_folder(cells[0], tmp_path / "cells") / "encoder.pt"
    state = torch.load(file, weights_only=True)
    save_atomically(read_state("encoder", file) | {"origin": state["origin"] | {"code": ["a", "b"]}}, file)
    outcome = pack(tmp_path / "cells", tmp_path / "encoders.zip")
    (problem,) = outcome.left_out
    assert outcome.number == 2 and str(cells[0]) in str(problem) and "['a', 'b']" in str(problem)
    whole = [{key: value for key, value in state.items() if key != name} for name in ("method", "standardisation")]
    for damaged in (*whole, state | {"origin": {}}, state | {"origin": None}):
        torch.save(damaged, file)
        with pytest.raises(InputError, match="encoder.pt cannot be read"):
            pack(tmp_path / "cells", tmp_path / "none.zip")
    file.write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match="encoder.pt cannot be read"):
        pack(tmp_path / "cells", tmp_path / "none.zip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells", "encoders.zip"]


def test_weights_that_half_precision_cannot_hold_are_refused(ran, cells, tmp_path):
    shutil.copytree(ran / "cells", tmp_path / "cells")
    file = cell_folder(cells[1], tmp_path / "cells") / "encoder.pt"
    state = read_state("encoder", file)
    name = next(name for name in state["method"] if name.endswith("weight"))
    state["method"][name].view(-1)[0] = 1e6
    save_atomically(state, file)
    with pytest.raises(InputError, match=f"half precision cannot hold {name}. found: 1e.06. wanted: finite"):
        pack(tmp_path / "cells", tmp_path / "none.zip", "float16")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["pack", "FOLDER", "ARCHIVE", "--dtype", "int8"],
            "unknown dtype of weights. found: 'int8'. wanted: float32 or",
        ),
        (["pack", "FOLDER", "ARCHIVE"], "no encoder in FOLDER"),
        (["unpack", "ARCHIVE", "FOLDER"], "ARCHIVE cannot be read. found: FileNotFoundError"),
    ],
)
def test_bad_words_are_reported_without_a_traceback(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert main(["encoders", *words]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_an_archive_goes_to_another_machine_and_is_scored_there(ran, archive, tmp_path, monkeypatch, capsys):
    """What a reader does: unpack, score; the rows are those of the run."""
    monkeypatch.setattr(grid, "home", lambda: tmp_path)
    monkeypatch.setattr("companion.grid.score.load", lambda cell: small_data())
    monkeypatch.setattr("companion.grid.score.is_drawn", lambda cell: False)
    without_further_probes(monkeypatch)
    assert main(["encoders", "unpack", str(archive), str(tmp_path / "runs" / "cells")]) == 0
    words = ["score", str(ran / "small.json"), "--out", str(tmp_path / "out"), "--device", "cpu"]
    assert main(words) == 0
    assert (tmp_path / "out" / "rows.csv").read_bytes() == (ran / "out" / "rows.csv").read_bytes()
    assert "3 cells: 3 done" in capsys.readouterr().out
