import csv
import http.client
import io
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from abalone.predictor import Predictor
from tests.commands import IMAGE, command, environment, free_port, request, serving
from tests.surveys import CONTRACT, EXAMPLE, csv_row, data_set, survey

ROW = csv_row()
INSTANCE = EXAMPLE


@pytest.fixture(scope="module")
def port(trained: Path) -> Iterator[int]:
    with serving(trained) as (_, port):
        yield port


def post_csv(port: int, body: str | bytes, **headers: str) -> tuple[int, str]:
    status, _, answer = request(port, "POST", "/invocations", body, content_type="text/csv", **headers)
    return status, answer


def post_json(port: int, document: object) -> tuple[int, dict]:
    body = document if isinstance(document, str | bytes) else json.dumps(document)
    status, headers, answer = request(port, "POST", "/invocations", body, content_type="application/json")
    assert headers["content-type"] == "application/json"
    return status, json.loads(answer)


def test_ping_says_that_the_model_is_loaded(port: int):
    assert request(port, "GET", "/ping")[0] == 200


def test_row_by_row_equals_the_batch_and_the_artefact(port: int, trained: Path):
    records = sorted(survey(60, seed=21), key=lambda record: record.record_id)
    batch = Predictor(CONTRACT, trained / "model/model.onnx").predict(data_set(records).features)
    expected = list(zip(batch.rings.tolist(), batch.low.tolist(), batch.high.tolist(), strict=True))

    status, answer = post_csv(port, "\n".join(",".join(record.features) for record in records))
    assert status == 200
    served = [tuple(float(value) for value in line.split(",")) for line in answer.splitlines()]
    for record, row, values in zip(records, served, expected, strict=True):
        assert row == pytest.approx(values, abs=1e-3)
        _, one = post_csv(port, ",".join(record.features))
        assert tuple(float(value) for value in one.split(",")) == pytest.approx(values, abs=1e-3)
        _, document = post_json(port, {"instances": [record.instance]})
        [prediction] = document["predictions"]
        assert (prediction["rings"], prediction["low"], prediction["high"]) == pytest.approx(values, abs=1e-3)


def test_json_tells_model_and_confidence(port: int):
    status, document = post_json(port, {"instances": [INSTANCE, {**INSTANCE, "sex": "I"}]})

    assert status == 200
    assert set(document) == {"predictions", "confidence", "model"}
    assert (document["confidence"], document["model"]) == (0.9, "job-1")
    assert len(document["predictions"]) == 2
    for prediction in document["predictions"]:
        assert set(prediction) == {"rings", "low", "high"}
        assert 1 <= prediction["low"] < prediction["rings"] < prediction["high"] <= 60


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/json", "application/json"),
        ("text/csv", "text/csv"),
        ("*/*", "text/csv"),
        ("text/*", "text/csv"),
        ("application/*", "application/json"),
        ("text/html, application/json;q=0.9", "application/json"),
        ("text/csv;q=0, application/json", "application/json"),
    ],
)
def test_the_answer_comes_in_the_type_that_is_accepted(port: int, accept: str, expected: str):
    status, headers, answer = request(port, "POST", "/invocations", ROW, content_type="text/csv", accept=accept)

    assert status == 200
    assert headers["content-type"].partition(";")[0] == expected
    rings = json.loads(answer)["predictions"][0]["rings"] if "json" in expected else float(answer.split(",")[0])
    assert 1 < rings < 60


def test_other_types_are_refused_either_way(port: int):
    status, _, answer = request(port, "POST", "/invocations", ROW, content_type="text/csv", accept="text/html")
    assert (status, "no answer of the type 'text/html'" in json.loads(answer)["error"]) == (406, True)

    for content_type in ("text/html", "application/x-www-form-urlencoded", ""):
        status, _, answer = request(port, "POST", "/invocations", ROW, content_type=content_type)
        assert status == 415
        assert json.loads(answer)["error"].endswith("send text/csv or application/json")


@pytest.mark.parametrize(
    "body",
    [
        ROW,
        ROW + "\n",
        ROW + "\r\n",
        "\ufeff" + ROW,
        csv_row(length='"91"', diameter=" 73 ", whole_weight="1.028e2", shell_weight="30."),
    ],
)
def test_the_ways_to_write_a_row_all_mean_the_same(port: int, body: str):
    assert post_csv(port, body.encode()) == post_csv(port, ROW)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", "the body has no row"),
        (f"{ROW}\n{ROW}\n{csv_row(height='abc')}", "row 3: column height: 'abc' is not a number"),
        (csv_row(height=""), "row 1: column height: is empty, a number was expected"),
        (csv_row(height="NaN"), "row 1: column height: 'NaN' is not a number"),
        (csv_row(height="inf"), "row 1: column height: 'inf' is not a number"),
        (csv_row(height="1e400"), "row 1: column height: '1e400' is not a finite number"),
        (csv_row(height="1e39"), "row 1: column height: '1e39' is not a finite number"),
        (csv_row(height="-19"), "row 1: column height: '-19' is negative, zero or more was expected"),
        (csv_row(height="1_9"), "row 1: column height: '1_9' is not a number"),
        (csv_row(height="0x13"), "row 1: column height: '0x13' is not a number"),
        (csv_row(sex="m"), "row 1: column sex: 'm' is not one of F, M, I"),
        (csv_row(sex=""), "row 1: column sex: '' is not one of F, M, I"),
        ("M,91,73", f"row 1: has 3 values, expected {len(EXAMPLE)}: sex, length"),
        (f"{ROW},9", f"row 1: has {len(EXAMPLE) + 1} values, expected {len(EXAMPLE)}"),
        (f"{ROW}\n\n{ROW}", f"row 2: has 0 values, expected {len(EXAMPLE)}"),
        (",".join(CONTRACT.feature_names), "row 1: column sex: 'sex' is not one of F, M, I"),
        (csv_row(length='"91'), "the body is not CSV: unexpected end of data"),
        (b"M,91,\xff", "the body is not UTF-8: byte 5"),
        (csv_row(height="\u0661\u0669").encode(), "row 1: column height: '\\u0661\\u0669' is not a number"),
        (csv_row(height="9" * 200_000), "the body is not CSV: field larger than field limit"),
    ],
)
def test_a_bad_csv_row_is_answered_with_its_row_and_column(port: int, body: str | bytes, expected: str):
    status, answer = post_csv(port, body)

    assert status == 400
    assert expected in json.loads(answer)["error"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("", "the body is not JSON"),
        ("{", "the body is not JSON"),
        ("[" * 100_000, "the body is not JSON"),
        ([INSTANCE], 'the body must be an object with "instances" and nothing else'),
        ({"instances": [INSTANCE], "more": 1}, "and nothing else"),
        ({"instances": []}, "instances must be a list of at least one object"),
        ({"instances": INSTANCE}, "instances must be a list of at least one object"),
        ({"instances": [INSTANCE, 7]}, "row 2: 7 is not an object"),
        ({"instances": [{**INSTANCE, "height": "19"}]}, "row 1: column height: '19' is text, a number was expected"),
        ({"instances": [{**INSTANCE, "height": True}]}, "row 1: column height: True is not a number"),
        ({"instances": [{**INSTANCE, "height": None}]}, "row 1: column height: None is not a number"),
        ({"instances": [{**INSTANCE, "height": [19]}]}, "row 1: column height: [19] is not a number"),
        ({"instances": [{**INSTANCE, "height": -1}]}, "row 1: column height: -1 is negative"),
        ({"instances": [{**INSTANCE, "height": 10**400}]}, "row 1: column height: 1000"),
        ({"instances": [{**INSTANCE, "height": float("nan")}]}, "NaN is not a number in JSON"),
        ({"instances": [{**INSTANCE, "height": float("inf")}]}, "Infinity is not a number in JSON"),
        ({"instances": [{**INSTANCE, "sex": "X"}]}, "row 1: column sex: 'X' is not one of F, M, I"),
        ({"instances": [{**INSTANCE, "sex": ["M"]}]}, "row 1: column sex: ['M'] is not one of F, M, I"),
        ({"instances": [{**INSTANCE, "weight": 1}]}, "row 1: column 'weight': is unknown"),
        ({"instances": [{k: v for k, v in INSTANCE.items() if k != "height"}]}, "row 1: column height: is missing"),
    ],
)
def test_a_bad_json_row_is_answered_with_its_row_and_column(port: int, document: object, expected: str):
    status, answer = post_json(port, document)

    assert status == 400
    assert set(answer) == {"error"}
    assert expected in answer["error"]


def test_nothing_of_the_input_comes_back_as_markup(port: int):
    markup = "<script>alert(1)</script>&amp;"
    status, headers, answer = request(port, "POST", "/invocations", ROW.replace("19", markup), content_type="text/csv")

    assert status == 400
    assert headers["content-type"] == "application/json"
    assert headers["x-content-type-options"] == "nosniff"
    assert not re.search("[<>&]", answer)
    assert "<script>" in json.loads(answer)["error"]


def test_unknown_paths_and_methods_are_answered_in_json(port: int):
    for method, path, expected in (("GET", "/invocations", 405), ("POST", "/ping", 405), ("GET", "/", 404)):
        status, headers, answer = request(port, method, path)
        assert (status, headers["content-type"]) == (expected, "application/json")
        assert "error" in json.loads(answer)


def test_many_rows_are_answered_in_order_while_ping_is(port: int):
    records = survey(50, seed=22)
    body = "\n".join(",".join(record.features) for record in records * 1000)
    _, once = post_csv(port, "\n".join(",".join(record.features) for record in records))
    answers: list[tuple[int, str]] = []
    large = threading.Thread(target=lambda: answers.append(post_csv(port, body)))
    large.start()
    while large.is_alive():
        assert request(port, "GET", "/ping")[0] == 200
    large.join()

    [(status, answer)] = answers
    assert status == 200
    expected = [float(value) for row in csv.reader(io.StringIO(once)) for value in row]
    rows = [float(value) for row in csv.reader(io.StringIO(answer)) for value in row]
    assert len(rows) == 150_000
    assert rows[: len(expected)] == pytest.approx(expected, abs=1e-3)
    assert rows[-len(expected) :] == pytest.approx(expected, abs=1e-3)


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(port: int):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest("POST", "/invocations")
    connection.putheader("content-type", "text/csv")
    connection.putheader("content-length", str(1 << 40))
    connection.endheaders()

    answer = connection.getresponse()

    assert answer.status == 413
    assert "larger than 33554432 bytes: send fewer rows" in json.loads(answer.read())["error"]
    connection.close()


def test_a_body_that_never_ends_is_cut_off_and_the_server_lives_on(port: int):
    chunk = (ROW + "\n").encode() * 30_000
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        with pytest.raises(ConnectionError):
            _send_for_ever(client, b"%x\r\n%s\r\n" % (len(chunk), chunk))
    assert post_csv(port, ROW)[0] == 200


def _send_for_ever(client: socket.socket, chunk: bytes) -> None:
    for _ in range(1000):  # a gigabyte, thirty times the limit
        client.sendall(chunk)


def test_clients_that_leave_in_the_middle_do_no_harm(port: int):
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(
                b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 99\r\n\r\nM,"
            )
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert b" 400 " in client.recv(4096).partition(b"\r\n")[0]
    assert post_csv(port, ROW)[0] == 200


def test_sigterm_lets_a_request_finish(trained: Path):
    with serving(trained) as (process, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.putrequest("POST", "/invocations")
        connection.putheader("content-type", "text/csv")
        connection.putheader("content-length", str(len(ROW)))
        connection.endheaders()
        connection.send(ROW[:5].encode())
        assert request(port, "GET", "/ping")[0] == 200  # the server has read what was sent so far
        process.send_signal(signal.SIGTERM)
        while _accepts(port):
            assert process.poll() is None
        connection.send(ROW[5:].encode())

        answer = connection.getresponse()
        assert (answer.status, len(answer.read().split(b","))) == (200, 3)
        connection.close()
        assert process.wait(60) in (0, -signal.SIGTERM, 128 + signal.SIGTERM)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def test_without_a_model_it_does_not_start_and_says_why(tmp_path: Path):
    result = command("serve", tmp_path, SERVE_HOST="127.0.0.1", SAGEMAKER_BIND_TO_PORT=str(free_port()))
    assert result.returncode == 1
    assert "model.onnx cannot be read (No such file or directory): train a model first" in result.stdout

    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.onnx").write_bytes(b"no model")
    result = command("serve", tmp_path, SERVE_HOST="127.0.0.1", SAGEMAKER_BIND_TO_PORT=str(free_port()))
    assert result.returncode == 1
    assert "is not an ONNX model that this image can run" in result.stdout


def test_a_port_that_is_none_or_taken_ends_it(trained: Path, port: int):
    result = command("serve", trained, SAGEMAKER_BIND_TO_PORT="http")
    assert (result.returncode, "expected a port from 1 to 65535" in result.stdout) == (1, True)

    result = command("serve", trained, SERVE_HOST="127.0.0.1", SAGEMAKER_BIND_TO_PORT=str(port))
    assert result.returncode != 0
    assert "address already in use" in result.stdout


def test_serving_loads_nothing_of_training_or_aws(tmp_path: Path):
    code = "import abalone.serving, sys; print(sorted({'sklearn', 'scipy', 'onnx', 'boto3'} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment(tmp_path), cwd=IMAGE, capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "[]"


def poisoned(trained: Path, base: Path, shortest: float) -> Path:
    """A model like the trained one that answers NaN for animals that are not longer than `shortest` mm."""
    model = onnx.load(trained / "model/model.onnx")
    for node in model.graph.node:
        node.output[:] = ["good_rings" if name == "rings" else name for name in node.output]
        node.input[:] = ["good_rings" if name == "rings" else name for name in node.input]
    constants = {"length_column": np.array(0, dtype=np.int64), "shortest": shortest, "nothing": 0.0}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value, dtype=getattr(value, "dtype", np.float32)), name)
        for name, value in constants.items()
    )
    # The logarithm of a negative number is none.
    model.graph.node.extend(
        [
            helper.make_node("Gather", ["measures", "length_column"], ["length_of_row"], axis=1),
            helper.make_node("Sub", ["length_of_row", "shortest"], ["longer"]),
            helper.make_node("Log", ["longer"], ["poison"]),
            helper.make_node("Mul", ["poison", "nothing"], ["no_poison"]),
            helper.make_node("Add", ["good_rings", "no_poison"], ["rings"]),
        ]
    )
    (base / "model").mkdir(parents=True)
    (base / "model/model.onnx").write_bytes(model.SerializeToString())
    return base


def test_a_prediction_that_is_no_number_is_the_models_fault(trained: Path, tmp_path: Path):
    with serving(poisoned(trained, tmp_path / "some", shortest=91.5)) as (_, port):
        status, answer = post_csv(port, f"{ROW.replace('91', '120')}\n{ROW}")
        assert status == 500
        assert json.loads(answer)["error"].startswith("row 2: the model's prediction cannot be used: rings nan, low ")
        status, document = post_json(port, {"instances": [INSTANCE]})
        assert status == 500
        assert "expected finite numbers" in document["error"]
        assert post_csv(port, ROW.replace("91", "120"))[0] == 200
    assert "cannot be used: rings nan" in (tmp_path / "some/serve.log").read_text()


def test_a_model_that_cannot_predict_an_ordinary_animal_never_serves(trained: Path, tmp_path: Path):
    result = command("serve", poisoned(trained, tmp_path / "all", shortest=1e6), SERVE_HOST="127.0.0.1")
    assert result.returncode == 1
    assert (
        "The model job-1 cannot predict a usual animal: row 1: the model's prediction cannot be used" in result.stdout
    )
