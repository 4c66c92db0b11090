"""Finished trials, kept by Optuna in a journal file; a killed process loses none of them.

A trial is written when it is finished, in one append; what a kill left half written at the end is cut off before the
next. Order and choice of the trials are not Optuna's: they follow from the space and its seed, so that an interrupted
experiment goes on to the same table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomaly.errors import ExperimentError, RuntimeUnavailableError
from anomaly.experiment.space import Settings
from anomaly.types import Float64Array

if TYPE_CHECKING:
    from optuna.study import Study

JOURNAL = "trials.log"


@dataclass(frozen=True, eq=False)
class StoredTrial:
    """One finished trial.

    Attributes
    ----------
    number : int
        Its place in the list of combinations.
    scores : ndarray of float64, (repeats, n)
    loss : float
    seconds : float
        It took, with its share of the features.
    """

    number: int
    scores: Float64Array
    loss: float
    seconds: float


class TrialStore:
    """The trials of one experiment on disk.

    Parameters
    ----------
    folder : Path
        Of the experiment; made if need be.
    trials : sequence of Settings
        All combinations that the experiment tries.

    Raises
    ------
    RuntimeUnavailableError
        Optuna is not installed.
    ExperimentError
        The journal cannot be used.
    """

    def __init__(self, folder: Path, trials: Sequence[Settings]) -> None:
        self._path = folder / JOURNAL
        self._trials = [{name: _plain(value) for name, value in settings.items()} for settings in trials]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _mend(self._path)
        except OSError as error:
            raise self._unusable(error) from error
        self._study = self._open()

    def _open(self) -> Study:
        try:
            import optuna
            from optuna.storages import JournalStorage
            from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
        except ImportError:
            raise RuntimeUnavailableError(
                "an experiment needs optuna, not installed here: pip install 'goodparts[train]'"
            ) from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        lock = JournalFileOpenLock(str(self._path))
        # That of a process that was killed while it wrote.
        Path(f"{self._path}.lock").unlink(missing_ok=True)
        try:
            storage = JournalStorage(JournalFileBackend(str(self._path), lock_obj=lock))
            return optuna.create_study(storage=storage, study_name="experiment", load_if_exists=True)
        except (OSError, ValueError, KeyError) as error:
            raise self._unusable(error) from error

    def finished(self) -> dict[int, StoredTrial]:
        """Return the finished trials by number."""
        found: dict[int, StoredTrial] = {}
        for trial in self._study.get_trials(deepcopy=False):
            attributes = trial.user_attrs
            number = int(attributes["number"])
            found.setdefault(
                number,
                StoredTrial(
                    number,
                    np.array(attributes["scores"], dtype=np.float64),
                    float(trial.value or 0.0),
                    float(attributes["seconds"]),
                ),
            )
        return found

    def add(self, trial: StoredTrial) -> None:
        """Keep a finished trial.

        Raises
        ------
        ExperimentError
            It cannot be written.
        """
        import optuna

        try:
            self._study.add_trial(
                optuna.trial.create_trial(
                    params=self._trials[trial.number],
                    distributions=self._distributions(),
                    value=trial.loss,
                    user_attrs={
                        "number": trial.number,
                        "scores": trial.scores.tolist(),
                        "seconds": trial.seconds,
                    },
                )
            )
        except OSError as error:
            raise self._unusable(error) from error

    def importance(self) -> dict[str, float]:
        """Share of the variance of the loss that each setting explains (fANOVA), largest first.

        Hutter, Hoos, Leyton-Brown 2014, https://proceedings.mlr.press/v32/hutter14.html, as Optuna computes it.

        Returns
        -------
        dict of str to float
            Empty where fewer than four trials, or only one setting, vary.
        """
        import optuna

        varied = [name for name in self._names() if len({trial[name] for trial in self._trials}) > 1]
        # In the order of the numbers: forests look at rows in order, and a resumed experiment has the same ones.
        ordered = optuna.create_study()
        trials = sorted(self._study.get_trials(deepcopy=False), key=lambda trial: int(trial.user_attrs["number"]))
        if len(trials) < 4 or not varied:
            return {}
        ordered.add_trials(trials)
        found = optuna.importance.get_param_importances(
            ordered, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0), params=varied
        )
        return {name: float(share) for name, share in sorted(found.items(), key=lambda item: (-item[1], item[0]))}

    def _names(self) -> list[str]:
        return list(self._trials[0])

    def _distributions(self) -> dict[str, Any]:
        from optuna.distributions import CategoricalDistribution

        return {
            name: CategoricalDistribution(list(dict.fromkeys(trial[name] for trial in self._trials)))
            for name in self._names()
        }

    def _unusable(self, error: Exception) -> ExperimentError:
        return ExperimentError(
            f"the trials in {self._path} cannot be used ({' '.join(str(error).split())}): move the folder away "
            "to begin anew, or name another with --work DIR",
            path=self._path,
        )


def _mend(path: Path) -> None:
    """Cut off a last line that was not written to its end."""
    if not path.is_file():
        return
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        with path.open("r+b") as stream:
            stream.truncate(end)


def _plain(value: object) -> str | int | float | bool:
    return " ".join(value) if isinstance(value, tuple) else value  # type: ignore[return-value]
