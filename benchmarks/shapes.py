"""Parts at any angle, and thin cracks on pictures much wider than high: what rotation costs, what squashing would.

    python benchmarks/shapes.py DATA [--images N] [--turns N...] [--share S] [--draws N] [--only rotation|cracks]
                                [--output FILE]

DATA holds ``casting_512``; all pictures are made from it in memory and none is kept.

Rotation: castings cut out as discs, so that no corner tells how far a picture was turned, on an even ground. A disc
takes 0.8 of the picture's side, for what can lie at any angle has room around it; with ``--share 1`` it touches the
edges. The memory bank sees discs as photographed, and at several angles (``bank.turns``), 256 network pixels across,
so that an hour or two do. All other settings are those that training chooses on one half of the test images, each at an
angle of its own; the other half is judged as photographed and turned by angles of which none is one of the bank's; then
the halves change places, and both results are averaged. All of it for several draws: other castings in the bank each
time, none of them twice. Turned by 1 degree the images are interpolated like the others and otherwise as photographed:
what that costs is not the angle.

Cracks: strips of three castings, 1260 x 500 px, with a drawn dark line of 2 to 3 px on one of them where
damaged; judged in their own shape, and squashed to a square of as many pixels, as a fixed input size would do it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from PIL import Image, ImageDraw

from anomaly import Detector, PatchCore
from anomaly.config import BankConfig, CaptureConfig, Config, GeometryConfig, PartsConfig
from anomaly.dataset import LabelledImage, read_dataset
from anomaly.detector.training import train
from anomaly.errors import DatasetError
from anomaly.evaluation.metrics import image_auroc
from anomaly.types import DAMAGED, UNDAMAGED, UInt8Array
from benchmarks._machine import machine_line, provenance
from benchmarks._main import exit_status
from benchmarks._results import format_table, percent, plain, read_results, write_results
from benchmarks._sets import evenly, find_sets, in_unseen_half, read_set

OUTPUT = Path(__file__).parent / "results" / "shapes.json"
TURNS = (1, 24)
"""Values of ``bank.turns``."""
ANGLES = (0, 1, 17, 38, 62, 103, 200, 291)
"""The test images are turned by these; none but the first is one of the bank's."""
_DISC = 256  # network pixels across
_STRIP = (1260, 500)
_TILE = 420
_GREY = (128, 128, 128)
Pictures = Sequence[UInt8Array]


@dataclass(frozen=True)
class Rotation:
    """What was reached with one number of copies.

    Attributes
    ----------
    chosen : tuple of str
        The settings that training chose on either half.
    auroc : mapping of str to float
        Image AUROC with the test images as photographed, and turned by each angle; mean of the halves.
    """

    chosen: tuple[str, ...]
    auroc: Mapping[str, float]


def rotation(
    bank: Sequence[Path], halves: Sequence[Sequence[LabelledImage]], *, turns: int, share: float, seed: int
) -> Rotation:
    """Train on discs as photographed, choose settings on one half, turned, and judge the other at each angle."""
    first, second = halves
    chosen, aurocs = [], []
    for validation, test in ((first, second), (second, first)):
        detector = _trained(bank, validation, turns=turns, share=share, seed=seed)
        own = detector.config.embedding
        chosen.append(f"{own.backbone}, {' '.join(own.taps)}{', whitened' if own.whitening else ''}")
        labels = [_paths(test, damaged=damaged, most=len(test)) for damaged in (False, True)]
        aurocs.append(
            [_auroc(detector, *([_disc(path, angle, share) for path in paths] for paths in labels)) for angle in ANGLES]
        )
    means = np.mean(aurocs, axis=0).tolist()
    return Rotation(tuple(chosen), dict(zip(map(_name, ANGLES), means, strict=True)))


def _trained(
    bank: Sequence[Path], validation: Sequence[LabelledImage], *, turns: int, share: float, seed: int
) -> Detector:
    rng = np.random.default_rng(seed)
    given = [(_disc(path, 0, share), UNDAMAGED, "bank") for path in bank]
    given += [(_disc(image.path, float(rng.uniform(0, 360)), share), image.label, "validation") for image in validation]
    config = replace(_config(GeometryConfig(round(_DISC / share))), bank=BankConfig(turns=turns))
    with tempfile.TemporaryDirectory(prefix="shapes-") as name:
        folder = Path(name)
        paths = _write(folder, [picture for picture, _, _ in given])
        rows = [f"{path.name},{label},{split}\n" for path, (_, label, split) in zip(paths, given, strict=True)]
        (folder / "labels.csv").write_text("path,label,split\n" + "".join(rows), encoding="utf-8")
        fixed = ("geometry.size", "bank.turns")
        return train(read_dataset(folder), config, data="discs", fixed=fixed, device="cpu").detector


def _name(angle: int) -> str:
    return f"{angle} degrees" if angle else "as photographed"


def _disc(path: Path, angle: float, share: float) -> UInt8Array:
    """Return a casting turned by degrees and cut out as a disc, which takes this share of the picture's side."""
    with Image.open(path) as picture:
        turned = picture.convert("RGB").rotate(angle, Image.Resampling.BICUBIC, fillcolor=_GREY)
    mask = Image.new("L", turned.size)
    ImageDraw.Draw(mask).ellipse((4, 4, turned.width - 5, turned.height - 5), fill=255)
    side = round(max(turned.size) / share)
    picture = Image.new("RGB", (side, side), _GREY)
    picture.paste(turned, ((side - turned.width) // 2, (side - turned.height) // 2), mask)
    return np.asarray(picture)


def cracks(bank: Sequence[Path], test: Sequence[Path], *, seed: int) -> dict[str, float]:
    """Image AUROC of strips in their own shape, and squashed to a square of as many pixels."""
    rng = np.random.default_rng(seed)
    learnt = [_strip(_draw(rng, bank), None) for _ in bank]
    good = [_strip(_draw(rng, test), None) for _ in test]
    bad = [_strip(_draw(rng, test), rng) for _ in test]
    side = round((_STRIP[0] * _STRIP[1]) ** 0.5)
    shapes: dict[str, Callable[[UInt8Array], UInt8Array]] = {
        "own shape, 1260 x 500": lambda picture: picture,
        f"squashed, {side} x {side}": lambda picture: np.asarray(
            Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)
        ),
    }
    found = {}
    for name, shape in shapes.items():
        detector = _fit([shape(picture) for picture in learnt], GeometryConfig(640))
        found[name] = _auroc(detector, [shape(picture) for picture in good], [shape(picture) for picture in bad])
    return found


def _draw(rng: np.random.Generator, paths: Sequence[Path]) -> list[Path]:
    return [paths[i] for i in rng.choice(len(paths), size=3, replace=False)]


def _strip(tiles: Sequence[Path], rng: np.random.Generator | None) -> UInt8Array:
    """Three castings in a row, one of them with a crack where ``rng`` is given."""
    picture = Image.new("RGB", _STRIP, _GREY)
    for place, path in enumerate(tiles):
        with Image.open(path) as tile:
            small = tile.convert("RGB").resize((_TILE, _TILE), Image.Resampling.LANCZOS)
        picture.paste(small, (place * _TILE, (_STRIP[1] - _TILE) // 2))
    if rng is not None:
        _crack(picture, rng)
    return np.asarray(picture)


def _crack(picture: Image.Image, rng: np.random.Generator) -> None:
    """Draw a jagged dark line of 60 to 120 px on the ring of one casting."""
    place = int(rng.integers(3))
    angle, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.38) * _TILE
    x = (place + 0.5) * _TILE + radius * np.cos(angle)
    y = _STRIP[1] / 2 + radius * np.sin(angle)
    heading = rng.uniform(0, 2 * np.pi)
    points = [(x, y)]
    for _ in range(int(rng.integers(5, 11))):
        heading += rng.normal(0, 0.35)
        x, y = x + 12 * np.cos(heading), y + 12 * np.sin(heading)
        points.append((x, y))
    ImageDraw.Draw(picture).line(points, fill=(45, 45, 45), width=int(rng.integers(2, 4)))


def _config(geometry: GeometryConfig) -> Config:
    return Config(geometry=geometry, capture=CaptureConfig(check=False), parts=PartsConfig(find=False))


def _fit(pictures: Pictures, geometry: GeometryConfig) -> Detector:
    with tempfile.TemporaryDirectory(prefix="shapes-") as name:
        return PatchCore(_config(geometry), device="cpu").fit(_write(Path(name), pictures))


def _write(folder: Path, pictures: Pictures) -> list[Path]:
    paths = [folder / f"{number:03d}.png" for number in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path, compress_level=1)
    return paths


def _auroc(detector: Detector, good: Pictures, bad: Pictures) -> float:
    scores = [detector.score(picture) for picture in (*good, *bad)]
    found = image_auroc(scores, [False] * len(good) + [True] * len(bad))
    assert isinstance(found, float)
    return found


def _paths(images: Sequence[LabelledImage], *, damaged: bool, most: int) -> list[Path]:
    chosen = [image.path for image in images if (image.label == DAMAGED) is damaged]
    return list(evenly(chosen, most))


def _measure(options: argparse.Namespace) -> None:
    (castings,) = find_sets(options.data, ["casting_512"])
    images = read_set(castings)
    kept = read_results(options.output)
    about = provenance() | {"images": options.images}
    print(f"{machine_line(about['machine'])}; {about['date'][:10]}\n")
    if options.only != "cracks":
        draws = _draws(_paths(images.train, damaged=False, most=len(images.train)), options.images, options.draws)
        results = _rotations(draws, images.test, turns=options.turns, share=options.share)
        kept[f"rotation, discs of {options.share:g}"] = about | {"results": results}
        write_results(options.output, kept)
    if options.only != "rotation":
        bank, test = (_paths(some, damaged=False, most=options.images) for some in (images.train, images.test))
        strips = cracks(bank, test, seed=0)
        print(format_table(("cracks", "image AUROC"), [(key, percent(value)) for key, value in strips.items()]))
        kept["cracks"] = about | {"results": _plain(strips)}
        write_results(options.output, kept)


def _draws(paths: Sequence[Path], n: int, draws: int) -> list[list[Path]]:
    """Return disjoint choices of n images, each as evenly spaced as the others."""
    step = len(paths) // n
    if step < draws:
        raise DatasetError(f"{draws} draws of {n} images need {draws * n}, and there are {len(paths)}: ask for fewer")
    return [list(paths[first::step][:n]) for first in range(draws)]


def _rotations(
    draws: Sequence[Sequence[Path]], test: Sequence[LabelledImage], *, turns: Sequence[int], share: float
) -> dict[str, list[dict[str, object]]]:
    """Print what rotation costs with each number of copies, and return it draw by draw."""
    halves = [[image for image in test if in_unseen_half(image.name) is half] for half in (False, True)]
    results: dict[str, list[dict[str, object]]] = {}
    rows = []
    for n in turns:
        found = [rotation(bank, halves, turns=n, share=share, seed=0) for bank in draws]
        results[str(n)] = [{"chosen": list(one.chosen)} | _plain(one.auroc) for one in found]
        aurocs = {f"draw {number}": one.auroc for number, one in enumerate(found, start=1)}
        if len(found) > 1:
            aurocs["mean"] = {name: float(np.mean([one.auroc[name] for one in found])) for name in found[0].auroc}
        for draw, auroc in aurocs.items():
            rows.append((str(n), draw, *map(percent, auroc.values()), *(f"{100 * cost:.1f}" for cost in costs(auroc))))
            print(" ".join(rows[-1]), file=sys.stderr)  # the whole takes hours
    header = ("bank.turns", "bank", *map(_name, ANGLES), "costs on average", "at the worst angle")
    print(format_table(header, rows), end="\n\n")
    return results


def costs(auroc: Mapping[str, float]) -> tuple[float, float]:
    """Return what rotation costs, on average over the angles and at the worst, against the images as photographed."""
    straight, *turned = (auroc[_name(angle)] for angle in ANGLES)
    return straight - float(np.mean(turned)), straight - min(turned)


def _plain(found: Mapping[str, float]) -> dict[str, object]:
    return {key: plain(value) for key, value in found.items()}


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, metavar="DATA", help="folder that holds casting_512")
    parser.add_argument("--images", type=int, default=60, metavar="N", help="bank images, and strips of either label")
    parser.add_argument(
        "--turns", type=int, nargs="+", default=TURNS, metavar="N", help="values of bank.turns to compare"
    )
    parser.add_argument("--share", type=float, default=0.8, metavar="S", help="of the picture's side that a disc takes")
    parser.add_argument("--draws", type=int, default=3, metavar="N", help="banks, each of other castings")
    parser.add_argument("--only", choices=("rotation", "cracks"), help="one part; the other's figures stay in the file")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FILE", help="result file (JSON)")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status."""
    return exit_status(lambda: _measure(_parse(arguments)))


if __name__ == "__main__":
    raise SystemExit(main())
