"""Finished trials, kept by Optuna in a journal file; a killed process loses none of them.

A trial is written when it is finished, in one append; what a kill left half written at the end is cut off before the
next. One call at a time has the folder: two would try the same twice. Order and choice of the trials are not Optuna's:
they follow from the space and its seed, so that an interrupted experiment goes on to the same table.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from anomaly.errors import ExperimentError, RuntimeUnavailableError
from anomaly.experiment.checked import checked
from anomaly.experiment.lock import held
from anomaly.experiment.space import Settings
from anomaly.types import Float64Array

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

JOURNAL = "trials.log"

_UNUSABLE = (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, RuntimeError)
"""What Optuna and the reading of a trial raise where somebody has changed the journal."""


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
    """The trials of one experiment on disk, for one call at a time: a context manager that gives the folder back.

    Parameters
    ----------
    folder : Path
        Of the experiment; made if need be.
    trials : sequence of Settings
        All combinations that the experiment tries.
    shape : tuple of int
        Of the scores of a trial, (repeats, n).

    Raises
    ------
    RuntimeUnavailableError
        Optuna is not installed.
    ExperimentError
        The journal cannot be used, or another call has it.
    """

    def __init__(self, folder: Path, trials: Sequence[Settings], *, shape: tuple[int, ...]) -> None:
        self._path = folder / JOURNAL
        self._shape = shape
        self._trials = [{name: _plain(value) for name, value in settings.items()} for settings in trials]
        with ExitStack() as stack:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(held(folder))
                _mend(self._path)
            except OSError as error:
                raise self._unusable(error) from error
            self._study = self._open()
            self._held = stack.pop_all()

    def __enter__(self) -> TrialStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

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
        try:
            # That of a process that was killed while it wrote: one that lives would have the folder.
            Path(f"{self._path}.lock").unlink(missing_ok=True)
            storage = JournalStorage(JournalFileBackend(str(self._path), lock_obj=lock))
            return optuna.create_study(storage=storage, study_name="experiment", load_if_exists=True)
        except (*_UNUSABLE, optuna.exceptions.OptunaError) as error:
            raise self._unusable(error) from error

    def finished(self) -> dict[int, StoredTrial]:
        """Return the finished trials by number.

        Raises
        ------
        ExperimentError
            The journal holds what was not written by :meth:`add`.
        """
        found: dict[int, StoredTrial] = {}
        try:
            for trial in self._study.get_trials(deepcopy=False):
                stored = self._stored(trial.value, trial.user_attrs)
                found.setdefault(stored.number, stored)
        except _UNUSABLE as error:
            raise self._unusable(error) from error
        return found

    def _stored(self, loss: object, attributes: dict[str, Any]) -> StoredTrial:
        number = checked(int, attributes.get("number"), "number")
        if number not in range(len(self._trials)):
            raise ValueError(f"there is no trial {number}")
        scores = np.array(attributes.get("scores"))
        if scores.dtype.kind not in "fi" or scores.shape != self._shape:
            raise ValueError(f"trial {number} does not have a score for each photograph")
        seconds = checked(float, attributes.get("seconds"), "seconds")
        return StoredTrial(number, scores.astype(np.float64), checked(float, loss, "value"), seconds)

    def add(self, trial: StoredTrial) -> None:
        """Keep a finished trial.

        Raises
        ------
        ExperimentError
            It cannot be written.
        """
        attributes = {"number": trial.number, "scores": trial.scores.tolist(), "seconds": trial.seconds}
        try:
            self._study.add_trial(self._as_optuna_has_it(trial, attributes))
        except (OSError, RuntimeError) as error:  # the second: its own lock was taken away from it
            raise self._unusable(error) from error

    def importance(self) -> dict[str, float]:
        """Share of the variance of the loss that each setting explains (fANOVA), largest first.

        Hutter, Hoos, Leyton-Brown 2014, https://proceedings.mlr.press/v32/hutter14.html, as Optuna computes it.

        Returns
        -------
        dict of str to float
            Empty where fewer than four trials, or only one setting, vary.

        Raises
        ------
        ExperimentError
            As :meth:`finished`.
        """
        import optuna

        varied = [name for name in self._names() if len({trial[name] for trial in self._trials}) > 1]
        finished = self.finished()
        if len(finished) < 4 or not varied:
            return {}
        ordered = optuna.create_study()
        # In the order of the numbers: forests look at rows in order, and a resumed experiment has the same ones.
        ordered.add_trials([self._as_optuna_has_it(finished[number]) for number in sorted(finished)])
        found = optuna.importance.get_param_importances(
            ordered, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0), params=varied
        )
        return {name: float(share) for name, share in sorted(found.items(), key=lambda item: (-item[1], item[0]))}

    def _as_optuna_has_it(self, trial: StoredTrial, attributes: dict[str, Any] | None = None) -> FrozenTrial:
        import optuna

        return optuna.trial.create_trial(
            params=self._trials[trial.number],
            distributions=self._distributions(),
            value=trial.loss,
            user_attrs=attributes,
        )

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
