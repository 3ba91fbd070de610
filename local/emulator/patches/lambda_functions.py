"""Patches of Lambda: errors keep their names, warm calls are quick, and nothing of the emulator leaks into a function.

What is changed, and why:

- ministack reports every thrown error as `Runtime.HandlerError`, so no Retry or Catch by name could match. The Node
  worker now answers with `errorType`, `errorMessage` and `trace`, as AWS's own runtime does.
- An error killed the worker, so that the next call was a cold start. It stays, as on AWS.
- After each call ministack waits 50 ms on standard error, in case a line of the log is still under way. The worker now
  writes a mark behind the last line, so that nothing is waited for and no line goes to the next call's log.
- Functions inherited the emulator's whole environment. They keep what a Lambda has.
- A function becomes Active half a second after a change, by a thread that a kill ends. A restart makes it Active.
- Each parallel call of a function started a process that stayed for five minutes: 200 requests were 400 processes and
  12 GB. A function has a few workers, and further calls wait in line for one instead of being refused.
"""

import collections
import queue
import subprocess
import threading
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from patches.compatibility import PINNED_VERSION, IncompatibleEmulatorError, require

#: The emulator's own settings, which are none of a function's business. What a function itself sets comes back when
#: its worker is initialised.
_EMULATOR_VARIABLES = (
    "ATHENA_DATA_DIR",
    "BIND_HOST",
    "DOCKER_HOST",
    "GATEWAY_PORT",
    "IOT_MTLS_ENABLED",
    "LAMBDA_EXECUTOR",
    "LOG_LEVEL",
    "MINISTACK_ACCOUNT_ID",
    "MINISTACK_HOST",
    "MINISTACK_REGION",
    "PERSIST_STATE",
    "S3_DATA_DIR",
    "S3_PERSIST",
    "SFTP_ENABLED",
    "STATE_DIR",
)

_END_OF_LOG = "\x00end of this invocation's log\x00"
_LONGEST_WAIT_FOR_LOG_SECONDS = 0.25
_LINES_OF_A_DEAD_WORKER = 12

#: Added to ministack's Node worker. Pipes are written synchronously, so the mark is behind all that the handler wrote.
_FINISH = """
const _describeError = (error) => error instanceof Error || (error && typeof error.message === "string")
  ? { errorType: String(error.name || "Error"), errorMessage: String(error.message),
      trace: String(error.stack || "").split("\\n") }
  : { errorType: typeof error, errorMessage: String(error), trace: [] };
const _finish = (failed, value) => {
  let answer;
  try {
    const outcome = failed ? { failure: _describeError(value) } : { result: value };
    answer = JSON.stringify({ status: "ok", ...outcome });
  } catch (error) {
    answer = JSON.stringify({ status: "ok", failure: { errorType: "Runtime.MarshalError",
      errorMessage: "The function's result cannot be written as JSON: " + error.message, trace: [] } });
  }
  _stderrWrite("\\n__MARK__\\n");
  _realStdoutWrite(answer + "\\n");
};
""".replace("__MARK__", _END_OF_LOG.replace("\x00", "\\0"))

_CHANGES = (
    (
        "let handlerFn = null;\n",
        _FINISH + "let handlerFn = null;\n",
    ),
    (
        """        if (err) {
          _realStdoutWrite(JSON.stringify({
            status: "error", error: String(err.message || err), trace: err.stack || ""
          }) + "\\n");
        } else {
          _realStdoutWrite(JSON.stringify({ status: "ok", result: res }) + "\\n");
        }
""",
        "        _finish(failed, failed ? err : res);\n",
    ),
    (
        """      const settle = (err, res) => {
        if (settled) return;
""",
        """      const settle = (err, res, failed = Boolean(err)) => {
        if (settled) return;
""",
    ),
    (
        "result.then(res => settle(null, res), err => settle(err));",
        "result.then(res => settle(null, res), err => settle(err, undefined, true));",
    ),
    (
        """    } catch (e) {
      _realStdoutWrite(JSON.stringify({
        status: "error", error: e.message, trace: e.stack
      }) + "\\n");
    }
""",
        """    } catch (e) {
      _finish(true, e);
    }
""",
    ),
)

_WORKERS_PER_FUNCTION = 8
_IDLE_WORKER_SECONDS = 60.0
#: A call waits in line for as long as its function may run, and at least for as long as API Gateway waits for it.
_SHORTEST_PATIENCE_SECONDS = 30.0
#: AWS's own limit for an account. ministack's counts a process for each call, which one that waits does not have.
_CALLS_AT_ONCE = 1000

_failure = threading.local()


def _change_worker_script(script: str) -> str:
    for before, after in _CHANGES:
        if script.count(before) != 1:
            raise IncompatibleEmulatorError(
                f"ministack differs from {PINNED_VERSION}: its Node worker lacks {before.strip()[:80]!r}, "
                "which the patch of Lambda replaces."
            )
        script = script.replace(before, after)
    return script


def install() -> None:
    """Patches ministack's Lambda.

    Raises:
        IncompatibleEmulatorError: the worker's script or a private name is not as expected.
    """
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    lambda_runtime._NODEJS_WORKER_SCRIPT = _change_worker_script(require(lambda_runtime, "_NODEJS_WORKER_SCRIPT"))
    _install_errors(lambda_runtime, lambda_svc)
    _install_log_mark(lambda_runtime)
    _install_environment(lambda_runtime)
    _install_line(lambda_runtime, lambda_svc)
    _install_state(lambda_svc)


def _install_errors(lambda_runtime: Any, lambda_svc: Any) -> None:  # noqa: ANN401 - modules
    """Carries a handler's error from the worker's answer to the invocation's, both on the invocation's thread."""
    worker = require(lambda_runtime, "Worker")
    invoke = require(worker, "invoke")
    execute = require(lambda_svc, "_execute_function_warm", ("func", "event", "request_id"))

    def invoke_and_note(self: Any, *arguments: Any, **options: Any) -> dict[str, Any]:  # noqa: ANN401
        _failure.noted = None
        response = invoke(self, *arguments, **options)
        if response.get("failure"):
            _failure.noted = response["failure"]
            return {**response, "status": "error", "error": _failure.noted["errorMessage"], "trace": ""}
        if response.get("error") == "Worker process died":
            lines = [line for line in str(response.get("log", "")).splitlines() if line.strip()]
            told = "\n".join(lines[-_LINES_OF_A_DEAD_WORKER:])
            _failure.noted = {
                "errorType": "Runtime.ExitError",
                "errorMessage": f"Runtime exited before the handler answered. {told}".strip(),
            }
        return response

    def execute_with_error(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:  # noqa: ANN401
        _failure.noted = None
        result = execute(func, event, request_id)
        if result.get("error") and _failure.noted is not None:
            log = [result.get("log", ""), "\n".join(_failure.noted.get("trace", []))]
            return {**result, "body": _failure.noted, "log": "\n".join(filter(None, log))}
        return result

    worker.invoke = invoke_and_note
    lambda_svc._execute_function_warm = execute_with_error


def _install_log_mark(lambda_runtime: Any) -> None:  # noqa: ANN401 - a module
    """Reads a Node worker's log up to the mark instead of waiting for silence."""
    worker = require(lambda_runtime, "Worker")
    drain = require(worker, "_drain_stderr_bounded", ("self", "first_line_wait", "idle_confirm", "hard_cap"))

    def drain_to_mark(self: Any, *waits: float, **named_waits: float) -> str:  # noqa: ANN401
        if not self.config.get("Runtime", "").startswith("nodejs"):
            return drain(self, *waits, **named_waits)
        lines: list[str] = []
        deadline = time.monotonic() + _LONGEST_WAIT_FOR_LOG_SECONDS
        while True:
            try:
                line = self._stderr_queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if line == _END_OF_LOG:
                break
            lines.append(line)
        # The mark stands on a line of its own, also after output that did not end its last one.
        if lines and lines[-1] == "":
            lines.pop()
        return "\n".join(lines)

    worker._drain_stderr_bounded = drain_to_mark


def _install_environment(lambda_runtime: Any) -> None:  # noqa: ANN401 - a module
    """Starts workers without the emulator's settings."""
    require(lambda_runtime, "subprocess")

    def start(command: list[str], *, env: Mapping[str, str], **options: Any) -> subprocess.Popen[str]:  # noqa: ANN401
        kept = {name: value for name, value in env.items() if name not in _EMULATOR_VARIABLES}
        return subprocess.Popen(command, env={**kept, "TZ": "UTC"}, **options)  # noqa: S603 - ministack's own command

    lambda_runtime.subprocess = SimpleNamespace(
        **{**vars(subprocess), "Popen": start},
    )


def _install_line(lambda_runtime: Any, lambda_svc: Any) -> None:  # noqa: ANN401 - modules
    """Lets calls wait for a worker, first come first served, where ministack would start one more or refuse them.

    Each function (and version) has a line of its own, so that one that calls another never waits for itself. Only a
    function that calls itself as deep as it has workers does; ministack refuses that call when its patience is over.
    """
    acquire = require(
        lambda_runtime, "acquire_worker", ("func_name", "config", "code_zip", "qualifier", "max_concurrency")
    )
    release = require(lambda_runtime, "release_worker", ("worker",))
    key_of = require(lambda_runtime, "_worker_key", ("func_name", "config", "qualifier"))
    for owner, name in (
        (lambda_runtime, "_LOCAL_WORKER_TTL"),
        (lambda_svc, "_ACCOUNT_CONCURRENCY_CAP"),
        (lambda_svc, "acquire_worker"),
        (lambda_svc, "release_worker"),
    ):
        require(owner, name)
    lines: dict[str, collections.deque[threading.Event]] = {}
    lock = threading.Lock()

    def acquire_in_turn(
        func_name: str,
        config: dict[str, Any],
        code_zip: bytes,
        qualifier: str = "$LATEST",
        max_concurrency: int | None = None,
    ) -> tuple[Any, str]:
        workers = max_concurrency or _WORKERS_PER_FUNCTION
        patience = max(float(config.get("Timeout") or 0), _SHORTEST_PATIENCE_SECONDS)
        deadline = time.monotonic() + patience
        key = key_of(func_name, config, qualifier)
        turn = threading.Event()
        with lock:
            line = lines.setdefault(key, collections.deque())
            line.append(turn)
            line[0].set()
        try:
            while turn.wait(max(0.0, deadline - time.monotonic())):
                # Cleared before the look, so that a worker which becomes free after it wakes this call again.
                turn.clear()
                worker, reason = acquire(func_name, config, code_zip, qualifier, workers)
                if worker is not None:
                    return worker, reason
            return None, "func_cap"
        finally:
            with lock:
                line.remove(turn)
                if line:
                    line[0].set()
                else:
                    lines.pop(key, None)

    def release_to_next(worker: Any) -> None:  # noqa: ANN401 - ministack's Worker, or None when it was thrown away
        release(worker)
        with lock:
            for line in lines.values():
                line[0].set()

    lambda_runtime._LOCAL_WORKER_TTL = _IDLE_WORKER_SECONDS
    lambda_svc._ACCOUNT_CONCURRENCY_CAP = _CALLS_AT_ONCE
    lambda_svc.acquire_worker = acquire_in_turn
    lambda_svc.release_worker = release_to_next


def _install_state(lambda_svc: Any) -> None:  # noqa: ANN401 - a module
    """Makes functions ready whose creation or update a kill interrupted: their code is saved, and no thread is left."""
    restore = require(lambda_svc, "_restore_state", ("data",))

    def restore_and_make_ready(data: dict[str, Any]) -> None:
        restore(data)
        for function in lambda_svc._functions.all_values():
            for config in (function["config"], *(each["config"] for each in function.get("versions", {}).values())):
                if (config.get("SnapStart") or {}).get("OptimizationStatus") == "On":
                    continue  # ministack itself makes these ready after a restart.
                if config.get("State") == "Pending":
                    config.update({"State": "Active", "StateReason": "", "StateReasonCode": ""})
                if config.get("LastUpdateStatus") == "InProgress":
                    config.update(
                        {
                            "LastUpdateStatus": "Successful",
                            "LastUpdateStatusReason": "",
                            "LastUpdateStatusReasonCode": "",
                        }
                    )

    lambda_svc._restore_state = restore_and_make_ready
