"""Photographs embedded elsewhere, against a cluster that is made up: the fit is the same as here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from anomaly import PatchCore
from anomaly.cluster import embedding, embedding_on_cluster
from anomaly.config import Config, replace_setting
from anomaly.errors import ImageError, RuntimeUnavailableError
from tests.parts import write_part

pytestmark = pytest.mark.slow


class _RayError(Exception):
    pass


class _Actor:
    work: Any


class _Cluster:
    """Workers in this process; the first one is lost over its second photograph, and the last given is done first."""

    exceptions = SimpleNamespace(RayError=_RayError, RayTaskError=type("RayTaskError", (_RayError,), {}))

    def __init__(self) -> None:
        self.given = 0

    def __enter__(self) -> tuple[_Cluster, int]:
        return self, 2

    def __exit__(self, *_: object) -> None:
        pass

    def put(self, order: Any) -> Any:
        return order

    def remote(self, kind: Any) -> Any:
        def make(order: Any) -> Any:
            worker, actor = kind(order), _Actor()
            actor.work = SimpleNamespace(remote=lambda path: (worker, path, object()))
            return actor

        return SimpleNamespace(options=lambda num_cpus: SimpleNamespace(remote=make))

    def wait(self, refs: list[Any], *, num_returns: int) -> tuple[list[Any], list[Any]]:
        return [refs[-1]], refs[:-1]

    def get(self, ref: Any) -> Any:
        self.given += 1
        if self.given == 2:
            raise _RayError("The actor died.")
        return ref[0].work(ref[1])


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[_Cluster]:
    found = _Cluster()
    monkeypatch.setattr(embedding, "session", lambda address: found)
    monkeypatch.setattr(embedding.os, "chdir", lambda folder: None)
    yield found


@pytest.mark.slow
def test_a_fit_is_the_same_bit_by_bit(cluster: _Cluster, tmp_path: Path) -> None:
    config = replace_setting(replace_setting(Config(), "geometry.size", 96), "bank.max_rows", 100)
    config = replace_setting(config, "embedding.whitening", True)
    images = [write_part(tmp_path / f"{i}.png", i, side=90 + i) for i in range(8)]
    here = PatchCore(config, device="cpu").fit(images)
    with embedding_on_cluster("made up") as embed_all:
        there = PatchCore(config, device="cpu", embed_all=embed_all).fit(images)
    assert cluster.given > 2 * len(images)  # whitening and memory, and one photograph again
    assert here.scales == there.scales
    assert here.bank_images == there.bank_images
    for one, other in zip(here.banks, there.banks, strict=True):
        assert np.array_equal(one.vectors, other.vectors)
        assert np.array_equal(one.tags, other.tags)
    assert here.predict(images[0]).score == there.predict(images[0]).score


def test_what_cannot_be_read_ends_the_fit(cluster: _Cluster, tmp_path: Path) -> None:
    images = [write_part(tmp_path / f"{i}.png", i) for i in range(3)]
    images[1].write_bytes(b"")
    with embedding_on_cluster("made up") as embed_all, pytest.raises(ImageError, match=r"1\.png"):
        PatchCore(device="cpu", embed_all=embed_all).fit(images)


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RuntimeUnavailableError, match=r"pip install 'goodparts\[cluster\]'"):
        embedding_on_cluster("local").__enter__()
