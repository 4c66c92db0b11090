from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly.calibration import calibrate
from anomaly.cli import heatmap, main
from anomaly.detector import Detector, load_detector
from anomaly.types import Prediction, UInt8Array
from tests.parts import write_part


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an image ``bad.png`` and two more of one name."""
    monkeypatch.chdir(tmp_path)
    write_part(tmp_path / "bad.png", 2001, damaged=True)
    write_part(tmp_path / "a" / "x.png", 2002)
    write_part(tmp_path / "b" / "x.png", 2003)
    return tmp_path


def test_one_image_goes_below_the_default_folder(
    trained_model: Path, inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--heatmap", "bad.png", "--model", str(trained_model)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("bad.png  damaged  ")
    assert out.endswith("-> heatmaps/bad_heatmap.png\n")
    with Image.open(inside / "heatmaps" / "bad_heatmap.png") as file:
        picture = np.asarray(file)
    assert picture.shape[1:] == (1448, 3)


def test_one_image_goes_where_the_user_says(
    trained_model: Path, inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", str(trained_model)]
    assert main(["--heatmap", "bad.png", "--output", "new/where.jpg", *model]) == 0
    assert (inside / "new" / "where.jpg").read_bytes().startswith(b"\xff\xd8\xff")
    assert main(["--heatmap", "bad.png", "--output", "folder", "--json", *model]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[1])["heatmap"] == "folder/bad_heatmap.png"
    assert (inside / "folder" / "bad_heatmap.png").is_file()


def test_equal_names_from_different_folders_do_not_meet(
    trained_model: Path, inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--heatmap", "a", "b/x.png", "../" + inside.name + "/a/x.png", str(inside / "bad.png")]
    assert main([*words, "--output", "out", "--model", str(trained_model)]) == 0
    written = {path.relative_to(inside / "out").as_posix() for path in (inside / "out").rglob("*.png")}
    absolute = inside.relative_to("/").as_posix()
    expected = {"a/x_heatmap.png", "b/x_heatmap.png", f"{inside.name}/a/x_heatmap.png", f"{absolute}/bad_heatmap.png"}
    assert written == expected


def test_heatmaps_among_the_photographs_are_not_drawn_again(
    trained_model: Path, inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert main(["--heatmap", ".", "--output", ".", "--model", str(trained_model)]) == 0
        assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["a/x.png", "b/x.png", "bad.png"]


@pytest.mark.parametrize("place", ["a/x.png", "out/bad_heatmap.png"])
def test_a_photograph_that_is_not_judged_is_not_replaced_either(
    trained_model: Path, inside: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    write_part(inside / place, 2004)
    before = (inside / place).read_bytes()
    output = place if place.startswith("a/") else "out"
    assert main(["--heatmap", "bad.png", "--output", output, "--model", str(trained_model)]) == 1
    assert f"the heatmap {place} would replace the photograph of that name" in capsys.readouterr().err
    assert (inside / place).read_bytes() == before


@pytest.mark.parametrize(
    "words", [["--heatmap", "--output"], ["--predict", "--csv"], ["--predict", "--journal"], ["--report", "--output"]]
)
def test_nothing_is_written_into_a_trained_model(
    trained_model: Path, inside: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    verb, option = words
    place = trained_model / "thumbnails" / ("new.pdf" if verb == "--report" else "new.png")
    images = [] if verb == "--report" else ["bad.png"]
    assert main([verb, *images, option, str(place), "--model", str(trained_model)]) == 1
    assert capsys.readouterr().err == f"error: cannot write {place}: it is in a trained model, name another folder\n"
    assert not place.exists()


def test_a_row_is_told_when_its_picture_is_there_and_the_next_image_is_judged_meanwhile(
    trained_model: Path, inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = [threading.Event() for _ in range(3)]
    drawn: list[bool] = []
    told: list[bool] = []
    predict, draw = Detector.predict, heatmap.draw_heatmap

    def judge(self: Detector, image: UInt8Array, *, part_type: str = "") -> Prediction:
        next(event for event in begun if not event.is_set()).set()
        return predict(self, image, part_type=part_type)

    def draw_once_the_next_is_begun(
        detector: Detector, image: UInt8Array, prediction: Prediction, *, part_type: str
    ) -> UInt8Array:
        drawn.append(begun[min(len(drawn) + 1, 2)].wait(60))
        return draw(detector, image, prediction, part_type=part_type)

    def tell(line: str) -> None:
        told.append(Path(line.rsplit("-> ", 1)[1]).is_file())

    monkeypatch.setattr(Detector, "predict", judge)
    monkeypatch.setattr(heatmap, "draw_heatmap", draw_once_the_next_is_begun)
    monkeypatch.setattr(heatmap, "emit", tell)
    words = ["--heatmap", "bad.png", "a/x.png", "b/x.png", "--output", "out", "--model", str(trained_model)]
    assert main(words) == 0
    assert drawn == told == [True, True, True]


def test_a_picture_that_cannot_be_written_ends_the_call(
    trained_model: Path, inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (inside / "out").mkdir()
    (inside / "out" / "a").write_text("in the way")
    words = ["--heatmap", "bad.png", "a/x.png", "b/x.png", "--output", "out", "--model", str(trained_model)]
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["bad.png"]
    assert "cannot make the folder out/a" in err


def test_same_place_means_a_number() -> None:
    places = heatmap._mirrored(["x.png", "./x.jpg", "../x.png", "X.PNG"], Path("out"))
    assert [place.name for place in places] == [
        "x_heatmap.png",
        "x_heatmap-2.png",
        "x_heatmap-3.png",
        "X_heatmap-4.png",
    ]


def test_the_longest_name_of_an_image_still_has_room_for_its_heatmap(
    trained_model: Path, inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["ä" * 125 + ".png", "ä" * 124 + "b.png"]
    for name in names:
        (inside / "bad.png").rename(inside / name) if name == names[0] else write_part(inside / name, 5)
    assert main(["--heatmap", *names, "--output", "out", "--model", str(trained_model)]) == 0
    assert len(list((inside / "out").iterdir())) == 2


@pytest.mark.parametrize("name", ["a" * 300 + ".png", "a" * 300 + "/x.png"])
@pytest.mark.parametrize("output", ["o.png", "out"])
def test_a_name_longer_than_the_system_takes_is_a_row(
    name: str, output: str, trained_model: Path, inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--heatmap", name, "--output", output, "--model", str(trained_model)]) == 1
    told = capsys.readouterr()
    assert "too long" in told.out
    assert "1 of 1 image could not be read" in told.err


def test_an_output_longer_than_the_system_takes_is_named(
    trained_model: Path, inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--heatmap", "bad.png", "--output", "o" * 300 + ".png", "--model", str(trained_model)]) == 1
    assert "cannot write ooo" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["a", "--output", "one.png"], ["bad.png", "a/x.png", "--output", "one.png"]])
def test_several_heatmaps_need_a_folder(
    words: list[str], trained_model: Path, inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--heatmap", *words, "--model", str(trained_model)]) == 1
    assert "give a folder" in capsys.readouterr().err
    assert not (inside / "one.png").exists()


def test_a_photograph_is_never_replaced(trained_model: Path, inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (inside / "bad.png").read_bytes()
    assert main(["--heatmap", "bad.png", "--output", "./a/../bad.png", "--model", str(trained_model)]) == 1
    assert "would replace the photograph" in capsys.readouterr().err
    assert (inside / "bad.png").read_bytes() == before


def test_the_colour_scale_is_the_same_for_every_image(
    trained_model: Path, inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scales = []
    render = heatmap.render_heatmap
    monkeypatch.setattr(
        heatmap, "render_heatmap", lambda *given, **named: scales.append(named["scale_max"]) or render(*given, **named)
    )
    assert main(["--heatmap", "bad.png", "a", "--output", "out", "--model", str(trained_model)]) == 0
    calibration = load_detector(trained_model, device="cpu").calibration
    assert calibration is not None
    assert scales == 2 * [2 * calibration.threshold]


def test_what_cannot_be_read_gets_no_picture(
    trained_model: Path, inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (inside / "broken.png").write_bytes(b"no picture")
    assert main(["--heatmap", "broken.png", "bad.png", "--output", "out", "--model", str(trained_model)]) == 1
    out, _ = capsys.readouterr()
    assert out.splitlines()[0].startswith("broken.png  not judged  ")
    assert [path.name for path in (inside / "out").iterdir()] == ["bad_heatmap.png"]


def test_open_shows_the_picture_or_the_folder(
    trained_model: Path, inside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[list[str]] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    monkeypatch.setattr("subprocess.Popen", lambda command, **_: shown.append(command))
    model = ["--model", str(trained_model)]
    assert main(["--heatmap", "bad.png", "--open", *model]) == 0
    assert main(["--heatmap", "a", "b", "--open", *model]) == 0
    assert shown == [
        ["/bin/xdg-open", str(inside / "heatmaps" / "bad_heatmap.png")],
        ["/bin/xdg-open", str(inside / "heatmaps")],
    ]


def test_that_nothing_can_be_opened_is_said_and_no_failure(
    trained_model: Path, inside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert main(["--heatmap", "bad.png", "--open", "--model", str(trained_model)]) == 0
    assert capsys.readouterr().err.startswith("cannot show heatmaps/bad_heatmap.png")


def test_where_part_types_have_thresholds_of_their_own_it_is_said_whose_is_drawn() -> None:
    own = calibrate([1.0, 1.1], [2.0, 2.1])
    types = dataclasses.replace(own, by_part_type={"m8": own})
    assert heatmap._threshold_of(None, "m8") == heatmap._threshold_of(own, "m8") == ""
    assert heatmap._threshold_of(types, "m8") == "part type m8"
    assert heatmap._threshold_of(types, "") == "all other part types"
