"""`serve`: the endpoint. `GET /ping` answers when the model is loaded, `POST /invocations` predicts.

A request is checked against the feature contract before the model sees it, and a bad one is answered with the row and
the column that break it.
"""

import csv
import io
import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from abalone.errors import JobError, RowError, quote
from abalone.feature_contract import Contract, load_contract
from abalone.folders import Folders
from abalone.job import log_to_stdout
from abalone.predictor import ARTEFACT, Predictions, Predictor
from abalone.privileges import drop_privileges
from abalone.rows import Features, feature_values, features_of

logger = logging.getLogger("abalone")

CSV, JSON = "text/csv", "application/json"
# More than SageMaker passes to an endpoint (25 MB): half a million rows of CSV.
LARGEST_BODY = 32 * 1024 * 1024
# Larger bodies are handled outside of the event loop, so that /ping still answers.
LARGEST_INLINE_BODY = 16 * 1024
# SageMaker kills a container 30 seconds after it has asked it to stop.
SECONDS_TO_FINISH = 25
PORT_VARIABLE, DEFAULT_PORT = "SAGEMAKER_BIND_TO_PORT", "8080"


class BadRequestError(ValueError):
    """A body that breaks the contract: the text names the place."""


class BadPredictionError(ValueError):
    """A prediction that cannot be used, because of the model: the text names row and reason."""


def parse_csv(contract: Contract, body: str) -> Features:
    """Rows without a header, the features in contract order; an optional one may be empty.

    Raises:
        BadRequestError: naming the first row, and its column, that breaks the contract.
    """
    names = contract.feature_names
    rows = []
    reader = csv.reader(io.StringIO(body, newline=""), strict=True)
    for number, values in enumerate(_csv_rows(reader), start=1):
        if len(values) != len(names):
            raise BadRequestError(f"row {number}: has {len(values)} values, expected {len(names)}: {', '.join(names)}")
        try:
            rows.append(feature_values(contract, dict(zip(names, values, strict=True))))
        except RowError as error:
            raise BadRequestError(f"row {number}: {error}") from error
    if not rows:
        raise BadRequestError("the body has no row: send at least one line")
    return features_of(contract, rows)


def _csv_rows(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise BadRequestError(f"the body is not CSV: {error}") from error


def _reject_constant(name: str) -> float:
    raise BadRequestError(f"{name} is not a number in JSON")


def parse_json(contract: Contract, body: str) -> Features:
    """`{"instances": [{"sex": "M", "length": 91, …}]}`, every feature by its name; an optional one may be left out.

    Raises:
        BadRequestError: naming the first row, and its column, that breaks the contract.
    """
    try:
        document: Any = json.loads(body, parse_constant=_reject_constant)
    except BadRequestError:
        raise
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict) or set(document) != {"instances"}:
        raise BadRequestError('the body must be an object with "instances" and nothing else')
    instances = document["instances"]
    if not isinstance(instances, list) or not instances:
        raise BadRequestError("instances must be a list of at least one object")
    names = frozenset(contract.feature_names)
    required = [name for name in contract.feature_names if name not in contract.optional_names]
    rows = []
    for number, instance in enumerate(instances, start=1):
        if not isinstance(instance, dict):
            raise BadRequestError(f"row {number}: {quote(instance)} is not an object")
        missing = next((name for name in required if name not in instance), None)
        if missing is not None:
            raise BadRequestError(f"row {number}: column {missing}: is missing")
        unknown = sorted(instance.keys() - names)
        if unknown:
            raise BadRequestError(f"row {number}: column {quote(unknown[0])}: is unknown")
        try:
            # Text is not a number in JSON, even if it looks like one.
            for name in contract.measure_names:
                if isinstance(instance.get(name), str):
                    raise RowError(name, f"{quote(instance[name])} is text, a number was expected")
            rows.append(feature_values(contract, instance))
        except RowError as error:
            raise BadRequestError(f"row {number}: {error}") from error
    return features_of(contract, rows)


PARSERS = {CSV: parse_csv, JSON: parse_json}


def _columns(predictions: Predictions) -> Iterator[tuple[float, float, float]]:
    return zip(predictions.rings.tolist(), predictions.low.tolist(), predictions.high.tolist(), strict=True)


def render(predictions: Predictions, predictor: Predictor, media_type: str) -> str:
    """Predictions as CSV lines `rings,low,high` or as JSON with the model's name."""
    if media_type == CSV:
        return "".join(f"{rings:.4f},{low:.4f},{high:.4f}\n" for rings, low, high in _columns(predictions))
    rows = [{"rings": round(r, 4), "low": round(low, 4), "high": round(h, 4)} for r, low, h in _columns(predictions)]
    return json.dumps({"predictions": rows, "confidence": predictor.confidence, "model": predictor.name})


def check_predictions(predictions: Predictions) -> None:
    """Refuses predictions that no client could use. The endpoint's alarms count the answer 500.

    Raises:
        BadPredictionError: a prediction is not a finite number, or the low end of its interval is above the high end.
    """
    columns = {"rings": predictions.rings, "low": predictions.low, "high": predictions.high}
    good = predictions.low <= predictions.high
    for values in columns.values():
        good &= np.isfinite(values)
    if not good.all():
        row = int(np.argmin(good))
        shown = ", ".join(f"{name} {values[row]}" for name, values in columns.items())
        raise BadPredictionError(
            f"row {row + 1}: the model's prediction cannot be used: {shown}; expected finite numbers, low <= high"
        )


def try_out(contract: Contract, predictor: Predictor) -> None:
    """Predicts an animal of each category in the middle of all ranges, with the optional measures and without them.

    A model that can't predict them is not served.

    Raises:
        JobError: a prediction fails.
    """
    middle = {measure.name: (measure.minimum + measure.maximum) / 2 for measure in contract.measures}
    least = {name: value for name, value in middle.items() if name not in contract.optional_names}
    rows = [
        feature_values(contract, {contract.category: category, **measures})
        for category in contract.categories
        for measures in (middle, least)
    ]
    try:
        check_predictions(predictor.predict(features_of(contract, rows)))
    except Exception as error:  # ONNX Runtime raises many unrelated types
        raise JobError(f"The model {predictor.name} cannot predict a usual animal: {error}") from error


def _problem(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    # The message may quote the request. Escaped, it is not markup, even for a client that ignores the type.
    text = json.dumps({"error": message})
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Response(text, status, {"x-content-type-options": "nosniff", **(headers or {})}, JSON)


def _answer_type(accept: str, content_type: str) -> str | None:
    """The first supported type of an Accept header; `*/*` means the type of the request."""
    for item in (accept or "*/*").split(","):
        wanted, *parameters = (part.strip().lower() for part in item.split(";"))
        if any(parameter.replace(" ", "") in ("q=0", "q=0.0") for parameter in parameters):
            continue
        if wanted in PARSERS:
            return wanted
        if wanted == "*/*" or (wanted.endswith("/*") and content_type.startswith(wanted[:-1])):
            return content_type
        for known in PARSERS:
            if wanted.endswith("/*") and known.startswith(wanted[:-1]):
                return known
    return None


async def _body(request: Request) -> bytes:
    too_large = HTTPException(413, f"the body is larger than {LARGEST_BODY} bytes: send fewer rows at a time")
    # The server accepts only digits here. Chunked bodies have no length, so every body is counted as it arrives.
    if int(request.headers.get("content-length", "0")) > LARGEST_BODY:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise too_large
    return bytes(body)


def application(contract: Contract, predictor: Predictor) -> Starlette:
    """The ASGI application around a loaded model."""

    def answer(body: bytes, content_type: str, answer_type: str) -> Response:
        try:
            features = PARSERS[content_type](contract, body.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            return _problem(400, f"the body is not UTF-8: byte {error.start} is unexpected")
        except BadRequestError as error:
            return _problem(400, str(error))
        predictions = predictor.predict(features)
        try:
            check_predictions(predictions)
        except BadPredictionError as error:
            logger.error("The model %s: %s", predictor.name, error)
            return _problem(500, str(error))
        return Response(render(predictions, predictor, answer_type), 200, media_type=answer_type)

    async def ping(_request: Request) -> Response:
        return Response(status_code=200)

    async def invocations(request: Request) -> Response:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type not in PARSERS:
            expected = " or ".join(PARSERS)
            return _problem(415, f"the content type {quote(content_type)} is not supported: send {expected}")
        answer_type = _answer_type(request.headers.get("accept", ""), content_type)
        if answer_type is None:
            accept = request.headers["accept"]
            return _problem(406, f"no answer of the type {quote(accept)}: accept {' or '.join(PARSERS)}")
        try:
            body = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if len(body) > LARGEST_INLINE_BODY:
            return await run_in_threadpool(answer, body, content_type, answer_type)
        return answer(body, content_type, answer_type)

    async def http_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = dict(error.headers or {})
        if error.status_code == 413:
            # The rest of the body is not read.
            headers["connection"] = "close"
        return _problem(error.status_code, error.detail, headers)

    return Starlette(
        routes=[Route("/ping", ping, methods=["GET"]), Route("/invocations", invocations, methods=["POST"])],
        exception_handlers={HTTPException: http_error},
    )


def _port() -> int:
    text = os.environ.get(PORT_VARIABLE) or DEFAULT_PORT
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise JobError(f"{PORT_VARIABLE} is {quote(text)}: expected a port from 1 to 65535.")
    return int(text)


def serve() -> int:
    """Serves until SIGTERM, finishes running requests, and returns the exit status."""
    log_to_stdout()
    try:
        drop_privileges([])
        contract = load_contract()
        predictor = Predictor(contract, Folders.from_environment().model / ARTEFACT)
        try_out(contract, predictor)
        host, port = os.environ.get("SERVE_HOST") or "0.0.0.0", _port()  # noqa: S104 - SageMaker calls from outside
    except JobError as error:
        logger.error(error)
        return 1
    logger.info("Model %s on http://%s:%d", predictor.name, host, port)
    # No log of requests: it would only repeat SageMaker's metrics.
    configuration = uvicorn.Config(
        application(contract, predictor),
        host=host,
        port=port,
        http="httptools",
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SECONDS_TO_FINISH,
    )
    uvicorn.Server(configuration).run()
    return 0
