"""The invariants of ARCHITECTURE.md that no linter keeps."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(path for package in ("anomaly", "memory_bank") for path in (ROOT / package).rglob("*.py"))
PACKAGES = (
    "anomaly",
    "memory_bank",
    *(f"anomaly.{path.parent.name}" for path in (ROOT / "anomaly").glob("*/__init__.py")),
)


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield node


def test_modules_and_functions_stay_small() -> None:
    long_modules = [f"{p.relative_to(ROOT)}" for p in MODULES if len(p.read_text().splitlines()) > 400]
    long_functions = [
        f"{path.relative_to(ROOT)}:{node.name}"
        for path in MODULES
        for node in functions(path)
        if node.end_lineno is not None and node.end_lineno - node.lineno > 60
    ]
    assert (long_modules, long_functions) == ([], [])


def test_model_py_is_a_door_and_no_room() -> None:
    tree = ast.parse((ROOT / "model.py").read_text())
    assert sum(isinstance(node, ast.stmt) for node in ast.walk(tree)) < 15


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_documented_and_there(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__doc__
    names = list(getattr(module, "__all__", ()))
    assert len(names) == len(set(names))
    for name in names:
        found = getattr(module, name)
        assert found.__doc__ or not (inspect.isclass(found) or inspect.isfunction(found))


def test_the_names_of_anomaly_are_the_ones_agreed_on() -> None:
    import anomaly

    assert anomaly.__all__ == [
        "AnomalyError", "Calibration", "Config", "Detector", "EvaluationReport", "PatchCore", "Prediction", "Region",
        "calibrate", "evaluate", "load_config", "render_heatmap",
    ]  # fmt: skip
    with pytest.raises(AttributeError, match="has no attribute 'Anomaly'"):
        anomaly.Anomaly  # noqa: B018


def test_nothing_below_cli_prints_parses_arguments_or_exits() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MODULES
        if "cli" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"print", "exit", "input"}
        )
        or (isinstance(node, ast.Import) and {alias.name for alias in node.names} & {"argparse"})
        or (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and (node.value.id, node.attr) == ("sys", "exit")
        )
    ]
    assert found == []


def test_nothing_reads_a_pickle() -> None:
    unsafe = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        and (
            (node.func.attr == "load" and ast.unparse(node.func.value) in {"pickle", "joblib"})
            or (ast.unparse(node.func) == "torch.load" and "weights_only=True" not in ast.unparse(node))
            or (ast.unparse(node.func) == "np.load" and "allow_pickle=False" not in ast.unparse(node))
        )
    ]  # fmt: skip
    assert unsafe == []


def test_no_names_that_say_nothing() -> None:
    words = {"utils", "util", "helpers", "helper", "manager", "misc", "common"}
    assert [p.name for p in MODULES if words & set(p.stem.strip("_").split("_"))] == []


def test_importing_the_package_costs_nothing() -> None:
    program = "import sys, anomaly, memory_bank; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "torch" not in done.stdout
    assert "faiss" not in done.stdout
    assert "openvino" not in done.stdout
