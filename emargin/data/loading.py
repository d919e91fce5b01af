"""Load the data set of an experiment: read or simulate recordings, then frame, split and standardise them."""

from pathlib import Path

from emargin.config import Experiment
from emargin.data import npz, protocols, rhythms
from emargin.data.catalogue import DATASETS, own_settings, real_folder
from emargin.data.checksums import files_digest
from emargin.data.dataset import Dataset
from emargin.data.recordings import RecordingSet
from emargin.errors import MissingData

READERS = {"ecg": rhythms.load_afdb, "mitbih": rhythms.load_mitbih}
HOW_TO_GET = {
    "ecg": "the MIT-BIH Atrial Fibrillation Database (PhysioNet, open): "
           "python -c 'import wfdb; wfdb.dl_database(\"afdb\", \"{folder}\")'",
    "mitbih": "the MIT-BIH Arrhythmia Database (PhysioNet, open): "
              "python -c 'import wfdb; wfdb.dl_database(\"mitdb\", \"{folder}\")'",
}
SIMULATOR_SEED = 0  # the simulated recordings are the same for all seeds of an experiment


def load(experiment: Experiment) -> Dataset:
    """The experiment's data set, framed, split and standardised.

    Raises MissingData, which tells how to get the files, where real recordings are asked for and not there; InputError
    for recordings that cannot be used.
    """
    recordings, checksum = load_recordings(experiment)
    settings = DATASETS.get(experiment.dataset) or own_settings(Path(experiment.dataset))
    return protocols.build(recordings, settings, experiment, checksum)


def load_recordings(experiment: Experiment) -> tuple[RecordingSet, str]:
    """The recordings as they come from the source, and a checksum of their files (or the simulator's seed)."""
    name = experiment.dataset
    if experiment.source == "simulated":
        from emargin.data.simulated import simulate  # imports much of scipy, which readings of real data do without

        simulator = name if name.endswith(("-sim", "-noise")) else f"{name}-sim"
        profile = "quick" if experiment.quick else "full"
        return simulate(simulator, seed=SIMULATOR_SEED, quick=experiment.quick), f"{simulator} seed 0 {profile}"
    if name not in DATASETS:
        folder = Path(name)
        return npz.load_folder(folder), files_digest([*folder.glob("*.npz"), folder / "dataset.json"])
    if name not in READERS:
        raise MissingData(f"the public files of {name} cannot be read here", wanted=f"one of {', '.join(READERS)}, or "
                          "a folder of npz recordings", todo="write one npz file a recording (see the README) and name "
                          "their folder as the dataset, or take source simulated")
    folder = real_folder(name)
    if not folder.is_dir():
        raise MissingData(f"the real recordings of {name} are not here", found=f"no folder {folder}",
                          wanted="its files in their public format",
                          todo=f"get {HOW_TO_GET[name].format(folder=folder)}; another place: set EMARGIN_DATA to the "
                               f"folder that holds {name}/; or take source simulated")
    return READERS[name](folder), files_digest(path for path in folder.iterdir() if path.is_file())
