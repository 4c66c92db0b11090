from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from anomaly import Config, load_config
from anomaly.config import config_from_dict, config_to_dict, replace_setting
from anomaly.errors import ConfigError
from anomaly.experiment.space import read_space

CONFIGS = Path(__file__).parents[1] / "configs"


def test_default_toml_says_what_the_code_says() -> None:
    written = tomllib.loads((CONFIGS / "default.toml").read_text())
    assert config_from_dict(written) == Config()
    expected = config_to_dict(Config())
    assert written == json.loads(json.dumps(expected))  # tuples as lists


@pytest.mark.parametrize(
    "path", sorted(set(CONFIGS.glob("*.toml")) - {CONFIGS / "experiments.toml"}), ids=lambda path: path.name
)
def test_every_preset_loads_and_says_what_it_is_for(path: Path) -> None:
    assert isinstance(load_config(path), Config)
    assert path.read_text().startswith("# ")


def test_dictionary_and_back() -> None:
    config = replace_setting(Config(), "embedding.taps", ["block4"])
    assert config_from_dict(config_to_dict(config)) == config
    assert config.embedding.taps == ("block4",)


def test_a_whole_number_will_do_where_a_fraction_may_stand() -> None:
    assert replace_setting(Config(), "bank.coreset_ratio", 1).bank.coreset_ratio == 1.0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("geometry.sise", 512, r"geometry\.sise is no setting: expected one of size"),
        ("geometry.size", "512", r"geometry\.size is '512': expected a whole number"),
        ("geometry.size", True, "expected a whole number"),
        ("geometry.size", 8, "expected a number from 64"),
        ("embedding.taps", "block4", "expected a list, each a text"),
        ("embedding.neighbourhood", 4, "odd"),
        ("embedding.whitening", 1, "true or false"),
        ("bank.coreset_ratio", 0.0, "expected a number from"),
        ("bank.coreset_ratio", float("nan"), "expected a number from"),
        ("scoring.top_share", 1.5, "expected a number from"),
        ("split.validation", 0.7, "leave at least a fifth"),
        ("split.validation", 0.0, r"split\.validation is 0\.0: expected a number from 0\.01 to 0\.8"),
        ("split.damaged_validation", 1.1, "from 0 to 1"),
        ("geometri.size", 512, "geometri.size is no setting: expected seed or SECTION.NAME"),
        ("seed.size", 512, "seed.size is no setting"),
        ("seed", -1, "expected a number from 0"),
        ("bank.coreset_ratio", 10**400, r"bank\.coreset_ratio is too large: expected a number below"),
        ("selection.smoothing", [-(10**400)], r"selection\.smoothing is too large"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace_setting(Config(), name, value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("seed = ")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config(tmp_path / "broken.toml")
    (tmp_path / "flat.toml").write_text("geometry = 3")
    with pytest.raises(ConfigError, match="expected a table"):
        load_config(tmp_path / "flat.toml")


def test_a_byte_order_mark_is_no_setting(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b"\xef\xbb\xbfseed = 7\n")
    assert load_config(tmp_path / "x.toml").seed == 7
    (tmp_path / "space.toml").write_bytes(b"\xef\xbb\xbfseed = 7\n")
    assert read_space(tmp_path / "space.toml").seed == 7


@pytest.mark.parametrize("text", ["x = " + "[" * 9999, "seed = " + "9" * 9999])
def test_what_no_parser_takes_is_not_valid_toml(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(text)
    for read in (load_config, read_space):
        with pytest.raises(ConfigError, match=r"x\.toml is not valid TOML"):
            read(tmp_path / "x.toml")


@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "."])
def test_what_may_never_end_is_not_read(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    code = (
        "import sys; from pathlib import Path; from anomaly.config import load_config\n"
        "from anomaly.errors import ConfigError; from anomaly.experiment.space import read_space\n"
        "for read in (load_config, read_space):\n"
        "    try: read(Path(sys.argv[1]))\n"
        "    except ConfigError as error: print(error)\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path / name)]
    told = subprocess.run(words, capture_output=True, text=True, timeout=60).stdout
    assert told.count("it is a folder, pipe or device): give a TOML file") == 2


def test_standard_input_and_the_null_device_are_read() -> None:
    code = "from anomaly.config import load_config; print(load_config('/dev/stdin').seed)"
    ended = subprocess.run([sys.executable, "-c", code], input=b"seed = 7", capture_output=True, timeout=60)
    assert ended.stdout == b"7\n"
    assert load_config(os.devnull) == Config()
    with Path("/dev/zero").open("rb") as endless:
        ended = subprocess.run([sys.executable, "-c", code], stdin=endless, capture_output=True, timeout=60)
    assert b"it has more than 4000000 bytes" in ended.stderr


def test_a_number_too_long_to_be_printed_is_refused() -> None:
    with pytest.raises(ConfigError, match="seed is too large: expected a whole number below"):
        replace_setting(Config(), "seed", 16**9999)
