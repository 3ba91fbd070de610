import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import onnx
import onnxruntime
import pytest

from abalone.errors import JobError
from abalone.predictor import Predictor, Training
from tests.commands import IMAGE, command, environment
from tests.surveys import CONTRACT, csv_row, survey, write_data_set, write_training_job

TIME = survey(1)[0].surveyed_at


def data_line(rings: int = 9, surveyed_at: str = TIME, **changes: object) -> str:
    """A line of a data set: the contract's example, but for what is changed."""
    return f"a,{csv_row(**changes)},{rings},{surveyed_at}"


QUICK = {"networks": "2", "epochs": "2"}


def reason(base: Path) -> str:
    return (base / "output/failure").read_text()


def test_the_log_has_every_metric_once_as_sagemaker_reads_it(trained: Path):
    log = (trained / "train.log").read_text()

    for name in ("train:rmse", "validation:rmse", "validation:mae", "validation:coverage"):
        assert len(re.findall(f"{name}=([0-9.]+);", log)) == 1, name
    assert 0 < float(re.search(r"validation:rmse=([0-9.]+);", log)[1]) < 1.5


def test_an_artefact_that_does_not_tell_from_when_its_rows_are_is_still_used(tmp_path: Path, trained: Path):
    model = onnx.load(trained / "model/model.onnx")
    del model.metadata_props[[entry.key for entry in model.metadata_props].index("newest_event")]
    onnx.save(model, tmp_path / "model.onnx")

    assert Predictor(CONTRACT, tmp_path / "model.onnx").training == Training(1400, None)


def test_the_artefact_says_whose_it_is_and_what_it_takes(trained: Path):
    assert [file.name for file in (trained / "model").iterdir()] == ["model.onnx"]
    session = onnxruntime.InferenceSession(trained / "model/model.onnx")
    metadata = session.get_modelmeta().custom_metadata_map

    assert metadata["name"] == "job-1"
    assert json.loads(metadata["features"]) == list(CONTRACT.feature_names)
    assert metadata["training_rows"] == "1400"
    assert metadata["newest_event"] == survey(1)[0].surveyed_at
    assert [value.name for value in session.get_inputs()] == ["sex", "measures"]
    assert [value.name for value in session.get_outputs()] == ["rings", "low", "high"]


def test_two_jobs_make_the_same_bytes(tmp_path: Path):
    artefacts = []
    for name in ("one", "two"):
        write_training_job(tmp_path / name, survey(200), QUICK)
        result = command("train", tmp_path / name, TRAINING_JOB_NAME="same")
        assert result.returncode == 0, result.stdout
        artefacts.append((tmp_path / name / "model/model.onnx").read_bytes())

    assert artefacts[0] == artefacts[1]


@pytest.mark.parametrize(
    ("hyperparameters", "expected"),
    [
        ({"epoch": "3"}, "hyperparameter 'epoch' is unknown: expected one of seed, networks"),
        ({"epochs": "three"}, "hyperparameter epochs is 'three': expected a whole number"),
        ({"epochs": "0"}, "hyperparameter epochs is '0': expected a whole number from 1 to 1000"),
        ({"learning_rate": "nan"}, "hyperparameter learning_rate is 'nan': expected a number from"),
        ({"confidence": "1.0"}, "hyperparameter confidence is '1.0': expected a number from 0.5 to 0.99"),
    ],
)
def test_a_wrong_hyperparameter_is_named(tmp_path: Path, hyperparameters: dict[str, str], expected: str):
    write_training_job(tmp_path, survey(200), hyperparameters)

    result = command("train", tmp_path)

    assert result.returncode == 1
    assert expected in reason(tmp_path)
    assert expected in result.stdout
    assert not (tmp_path / "model/model.onnx").exists()


def test_settings_of_sagemakers_own_sdk_are_passed_over(tmp_path: Path):
    write_training_job(tmp_path, survey(200), {**QUICK, "sagemaker_region": "eu-west-1"})

    assert command("train", tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (data_line(height=""), "line 202: column height: is empty"),
        (data_line(height="nan"), "line 202: column height: 'nan' is not a number"),
        (data_line(height="-1"), "line 202: column height: '-1' is negative"),
        (data_line(height="1e99"), "line 202: column height: '1e99' is not a finite number"),
        (data_line(sex="X"), "line 202: column sex: 'X' is not one of F, M, I"),
        (data_line(rings=0), "line 202: column rings: '0' is out of range, 1 to 60 rings"),
        (data_line(surveyed_at="now"), "line 202: column surveyed_at: 'now' is not a time such as 2026-"),
        ("a,M,91,73", f"line 202 has 4 values, the header has {len(CONTRACT.dataset_columns)}"),
    ],
)
def test_a_broken_row_is_named_by_line_and_column(tmp_path: Path, line: str, expected: str):
    write_training_job(tmp_path, survey(64))
    file = tmp_path / "input/data/train/data.csv"
    write_data_set(file, survey(200))
    file.write_text(file.read_text() + line + "\n")

    assert command("train", tmp_path).returncode == 1
    assert f"data.csv: {expected}" in reason(tmp_path)


def test_missing_channels_columns_and_rows_are_named(tmp_path: Path):
    assert command("train", tmp_path).returncode == 1
    assert "has no CSV file: check the S3 URI of the channel 'train'" in reason(tmp_path)

    write_training_job(tmp_path, survey(40))
    assert command("train", tmp_path).returncode == 1
    assert "The channel train has 35 rows, at least 50 are needed" in reason(tmp_path)

    file = tmp_path / "input/data/train/data.csv"
    file.write_text("record_id,sex,length\na,M,91\n")
    assert command("train", tmp_path).returncode == 1
    missing = [name for name in CONTRACT.feature_names[2:] if name not in CONTRACT.optional_names]
    assert f"the header has no column {', '.join(missing)}, rings, surveyed_at" in reason(tmp_path)

    file.write_text(",".join(CONTRACT.dataset_columns) + "\n")
    assert command("train", tmp_path).returncode == 1
    assert "has no rows: ingest more surveys" in reason(tmp_path)


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path):
    write_training_job(tmp_path, survey(200), QUICK)
    file = tmp_path / "input/data/train/data.csv"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_text().replace("\n", "\r\n").encode())

    assert command("train", tmp_path).returncode == 0


def test_a_job_stopped_in_the_middle_leaves_no_artefact(tmp_path: Path):
    write_training_job(tmp_path, survey(4000), {"epochs": "1000"})
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(IMAGE / "bin/train")], env=environment(tmp_path), stdout=log, stderr=log
        )
        while "Rows: train" not in (tmp_path / "log").read_text():
            assert process.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM

    assert list(tmp_path.glob("model/*")) == []


def test_a_model_of_complete_rows_does_not_serve_where_a_measure_is_optional(trained: Path):
    first = replace(CONTRACT.measures[0], optional=True)
    contract = replace(CONTRACT, measures=(first, *CONTRACT.measures[1:]))

    with pytest.raises(JobError, match=f"was trained for rows that have {first.name}, which is optional"):
        Predictor(contract, trained / "model/model.onnx")
