"""Which settings to train with: the given ones, unless labelled validation images say clearly otherwise.

Candidates are compared by how well the score tells the labels apart where it matters, near the border: the
cross-validated logarithmic loss of a logistic regression of the label on the logarithm of the image score, both
labels weighing the same. It is a proper scoring rule (Gneiting & Raftery 2007,
https://doi.org/10.1198/016214506000001437), and unlike the AUROC it still tells candidates apart that make no error.

The given settings stand unless the best candidate's loss is lower by more than one standard error of the difference,
image by image (after the one-standard-error rule of Breiman et al. 1984, Classification and Regression Trees, section
3.4.3: what held elsewhere is not given up without a reason). Network images of more than twice the given side are
tried only while each is better than all before. Only the bank and the validation split ever come here;
the test split does not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from anomaly.config import Config
from anomaly.dataset import LabelledImage
from anomaly.detector.candidates import Candidate, is_large, list_candidates
from anomaly.detector.progress import Progress, silent, stepwise
from anomaly.detector.sampling import evenly
from anomaly.detector.trial import BANK_IMAGES, run_trials
from anomaly.embedding.runtime import Device
from anomaly.imaging.decode import image_size
from anomaly.types import DAMAGED, BoolArray, Float64Array

LEAST_IMAGES = 5
"""Fewer validation images of either label carry no choice."""
MOST_IMAGES = 40
"""Validation images of either label that are looked at, evenly spaced."""
LOW_LOSS = 0.05
"""Nats of loss, at which a label is given 95 % on (geometric) average: nothing that lowers it is worth its time."""
_FOLDS = 5
_NEWTON_STEPS = 60
_LONGEST_STEP = 1.0


@dataclass(frozen=True)
class Trial:
    """One candidate and what it reached on the validation images.

    Attributes
    ----------
    candidate : Candidate
    loss : float
        Cross-validated logarithmic loss in nats; both labels weigh one half. Lower is better, 0.69 is chance.
    auroc : float
    """

    candidate: Candidate
    loss: float
    auroc: float


@dataclass(frozen=True)
class Selection:
    """The settings to train with, and why.

    Attributes
    ----------
    config : Config
    reasons : tuple of str
        Sentences for people.
    trials : tuple of Trial
        All that were compared, best first; empty where nothing was.
    loss : float or None
        What the trial of these settings reached; None where nothing was compared.
    """

    config: Config
    reasons: tuple[str, ...]
    trials: tuple[Trial, ...] = ()
    loss: float | None = None

    @property
    def tells_apart(self) -> bool:
        """Whether even the trial told the labels apart so well that nothing better is worth looking for."""
        return self.loss is not None and self.loss <= LOW_LOSS


def select_settings(
    config: Config,
    *,
    bank: Sequence[LabelledImage],
    validation: Sequence[LabelledImage],
    fixed: Collection[str] = (),
    device: Device = "auto",
    progress: Progress = silent,
) -> Selection:
    """Choose the settings on the validation images.

    Parameters
    ----------
    config : Config
        The given settings.
    bank, validation : sequence of LabelledImage
        The images of these splits.
    fixed : collection of str
        Settings, as ``section.name``, that are not to be touched.
    device : {"auto", "cpu", "cuda"}
    progress : Progress
        Told about the stage ``trying settings``.

    Raises
    ------
    ImageError, BackboneError, RuntimeUnavailableError, ConfigError
    """
    if not config.selection.automatic:
        return Selection(config, ("settings as given: automatic selection is off.",))
    undamaged, damaged = some_of_each_label(validation)
    if min(len(undamaged), len(damaged)) < LEAST_IMAGES:
        return Selection(
            config,
            (
                f"settings as given: choosing others needs {LEAST_IMAGES} undamaged and {LEAST_IMAGES} damaged "
                f"validation images, and there are {len(undamaged)} and {len(damaged)}.",
            ),
        )
    area = median(height * width for height, width in (image_size(image.path, limits=config.image) for image in bank))
    candidates = list_candidates(config, fixed=fixed, image_area=area)
    if len(candidates) == 1:
        return Selection(config, ("settings as given: every one of them was fixed.",))
    judged = [*undamaged, *damaged]
    truth = np.array([image.label == DAMAGED for image in judged])
    images = min(len(bank), BANK_IMAGES) + len(judged)
    step = stepwise(progress, "trying settings", _networks(candidates) * images)

    def score(some: Sequence[Candidate]) -> Float64Array:
        return _score(config, some, bank, judged, truth, device, step)

    def score_large(some: Sequence[Candidate]) -> Float64Array:
        larger = stepwise(progress, f"trying {some[0].size}² network pixels", images)
        return _score(config, some, bank, judged, truth, device, larger)

    compared, scores = _enlarge(config, candidates, *_compare(config, candidates, truth, score), truth, score_large)
    return _choose(config, compared, scores, truth)


def some_of_each_label(images: Sequence[LabelledImage]) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """Return at most `MOST_IMAGES` undamaged and as many damaged images, evenly spaced."""
    labels = [[image for image in images if (image.label == DAMAGED) == damaged] for damaged in (False, True)]
    undamaged, damaged = ([of_label[i] for i in evenly(len(of_label), MOST_IMAGES)] for of_label in labels)
    return undamaged, damaged


def _networks(candidates: Sequence[Candidate]) -> int:
    """How many networks `_compare` runs over all images: every backbone at the given size, one at the others."""
    own = candidates[0]
    others = {c.size for c in candidates if not is_large(c.size, own.size)} - {own.size}
    return len({c.backbone for c in candidates}) + len(others)


def _compare(
    config: Config,
    candidates: Sequence[Candidate],
    truth: BoolArray,
    score: Callable[[Sequence[Candidate]], Float64Array],
) -> tuple[list[Candidate], Float64Array]:
    """Score the backbones at the given size, and the one that does best at the other sizes that are not large.

    Returns
    -------
    list of Candidate
        All that were scored, ``candidates[0]`` first.
    ndarray of float64, (candidates, images)
    """
    own = candidates[0]
    first = [candidate for candidate in candidates if candidate.size == own.size]
    scores = score(first)
    losses = label_losses(scores, truth, seed=config.seed).mean(axis=1)
    best = first[int(losses.argmin())].backbone
    rest = [c for c in candidates if c.size != own.size and c.backbone == best and not is_large(c.size, own.size)]
    return [*first, *rest], np.concatenate([scores, score(rest)])


def _enlarge(
    config: Config,
    candidates: Sequence[Candidate],
    compared: list[Candidate],
    scores: Float64Array,
    truth: BoolArray,
    score: Callable[[Sequence[Candidate]], Float64Array],
) -> tuple[list[Candidate], Float64Array]:
    """Score the large sizes, too, one after the other, while the largest so far is best and labels are not told apart.

    Takes and returns what `_compare` does. The backbone is that of the best so far.
    """
    for size in sorted({c.size for c in candidates if is_large(c.size, candidates[0].size)}):
        losses = label_losses(scores, truth, seed=config.seed).mean(axis=1)
        best = compared[int(losses.argmin())]
        if best.size < max(candidate.size for candidate in compared) or losses.min() <= LOW_LOSS:
            break
        larger = [c for c in candidates if c.network == (best.backbone, size)]
        compared, scores = [*compared, *larger], np.concatenate([scores, score(larger)])
    return compared, scores


def _score(
    config: Config,
    candidates: Sequence[Candidate],
    bank: Sequence[LabelledImage],
    judged: Sequence[LabelledImage],
    truth: BoolArray,
    device: Device,
    step: Callable[[], None],
) -> Float64Array:
    """Scores of all judged images under all candidates, (candidates, images)."""
    scores = np.empty((len(candidates), len(judged)))
    for network, trial in run_trials(
        config,
        candidates,
        bank=[image.path for image in bank],
        judged=[image.path for image in judged],
        undamaged=~truth,
        device=device,
        step=step,
    ):
        own = [number for number, candidate in enumerate(candidates) if candidate.network == network]
        scores[own] = trial.scores([candidates[number] for number in own], scale_share=config.scoring.top_share)
    return scores


def _choose(config: Config, candidates: Sequence[Candidate], scores: Float64Array, truth: BoolArray) -> Selection:
    """Apply the rule; ``candidates[0]`` is the given one."""
    from sklearn.metrics import roc_auc_score

    losses = label_losses(scores, truth, seed=config.seed)
    mean = losses.mean(axis=1)
    best, gain, error = best_of(losses)
    chosen = best if gain > error else 0
    trials = [
        Trial(c, float(loss), float(roc_auc_score(truth, row)))
        for c, loss, row in zip(candidates, mean, scores, strict=True)
    ]
    rival = min(trials[1:], key=lambda trial: trial.loss, default=None)
    reasons = _reasons(trials[0], rival, trials[chosen], (gain, error), len(trials), truth)
    best_first = tuple(sorted(trials, key=lambda trial: trial.loss))
    return Selection(candidates[chosen].apply(config), reasons, best_first, trials[chosen].loss)


def best_of(losses: Float64Array) -> tuple[int, float, float]:
    """Return which row has the lowest mean, by how much it is below that of the first row, and the error of that.

    Parameters
    ----------
    losses : ndarray of float64, (candidates, n)
        Image by image; the given settings come first.

    Returns
    -------
    int
    float
        Mean difference from row 0.
    float
        Its standard error. The first row stands unless the difference exceeds it.
    """
    best = int(losses.mean(axis=1).argmin())
    difference = losses[0] - losses[best]
    return best, float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(difference)))


def label_losses(scores: Float64Array, truth: BoolArray, *, seed: int) -> Float64Array:
    """Logarithmic loss of each image under a logistic regression that has not seen it, in nats.

    Larger scores are never taken for less damage: scores that rank backwards have the loss of knowing nothing.

    Parameters
    ----------
    scores : ndarray of float64, (candidates, n)
        Positive image scores.
    truth : ndarray of bool, (n,)
        True: damaged. Both labels at least ``LEAST_IMAGES`` times.
    seed : int
        Of the folds, the same for all candidates.

    Returns
    -------
    ndarray of float64, (candidates, n)
        Weighted so that the mean of a row gives both labels one half.
    """
    from sklearn.model_selection import StratifiedKFold

    logs = np.log(np.maximum(scores, np.finfo(np.float64).tiny))
    losses = np.empty_like(logs)
    for learn, judge in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(logs.T, truth):
        good = logs[:, learn][:, ~truth[learn]]
        centre, spread = np.median(good, axis=1, keepdims=True), np.maximum(good.std(axis=1, keepdims=True), 1e-9)
        slope, intercept = _logistic_regression((logs[:, learn] - centre) / spread, truth[learn])
        backwards = slope < 0
        slope[backwards] = intercept[backwards] = 0.0
        margin = slope * (logs[:, judge] - centre) / spread + intercept
        losses[:, judge] = np.logaddexp(0.0, np.where(truth[judge], -margin, margin))
    weighted: Float64Array = losses * 0.5 / np.where(truth, truth.mean(), 1 - truth.mean())
    return weighted


def _logistic_regression(x: Float64Array, truth: BoolArray) -> tuple[Float64Array, Float64Array]:
    """Slope and intercept, (candidates, 1) each, of one logistic regression for each row of x (candidates, n).

    Newton's method on the likelihood with a standard normal prior on the slope and balanced labels: what
    scikit-learn's LogisticRegression with ``class_weight="balanced"`` minimises (a test compares them), for
    hundreds of rows at once.
    """
    weight = np.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum()) * len(truth)
    slope, intercept = np.zeros((len(x), 1)), np.zeros((len(x), 1))
    for _ in range(_NEWTON_STEPS):
        chance = 0.5 * (1 + np.tanh(0.5 * (slope * x + intercept)))
        off, curve = weight * (chance - truth), weight * np.maximum(chance * (1 - chance), 1e-12)
        g1, g0 = (off * x).sum(axis=1, keepdims=True) + slope, off.sum(axis=1, keepdims=True)
        h11 = (curve * x * x).sum(axis=1, keepdims=True) + 1.0
        h10, h00 = (curve * x).sum(axis=1, keepdims=True), curve.sum(axis=1, keepdims=True) + 1e-9
        determinant = h11 * h00 - h10 * h10
        slope -= np.clip((h00 * g1 - h10 * g0) / determinant, -_LONGEST_STEP, _LONGEST_STEP)
        intercept -= np.clip((h11 * g0 - h10 * g1) / determinant, -_LONGEST_STEP, _LONGEST_STEP)
    return slope, intercept


def _reasons(
    given: Trial, rival: Trial | None, chosen: Trial, gap: tuple[float, float], n: int, truth: BoolArray
) -> tuple[str, ...]:
    on = f"{n} combinations of settings compared on {int((~truth).sum())} undamaged and {int(truth.sum())} damaged"
    lines = [f"{on} validation images."]
    if chosen is given:
        why = "the labels are told apart, and larger images were not tried."
        if rival is not None:
            why = f"the best of the others ({_figures(rival)}) is not better by more than one standard error."
        return (*lines, f"settings as given kept ({_figures(given)}): {why}")
    lines.append(
        f"chosen: {chosen.candidate.describe()} ({_figures(chosen)}); as given: {given.candidate.describe()} "
        f"({_figures(given)}), worse by {gap[0] / gap[1]:.1f} standard errors."
    )
    return tuple(lines)


def _figures(trial: Trial) -> str:
    return f"loss {trial.loss:.3f}, AUROC {100 * trial.auroc:.1f} %"
