"""Seams of Lambda: errors keep their names, warm calls are quick, and nothing of the emulator leaks into a function.

What is changed, and why:

- ministack reports every thrown error as `Runtime.HandlerError`, so no Retry or Catch by name could match. The Node
  worker now answers with `errorType`, `errorMessage` and `trace`, as AWS's own runtime does.
- An error killed the worker, so that the next call was a cold start. It stays, as on AWS.
- After each call ministack waits 50 ms on standard error, in case a line of the log is still under way. The worker now
  writes a mark behind the last line, so that nothing is waited for and no line goes to the next call's log.
- Functions inherited the emulator's whole environment. They keep what a Lambda has.
- A function becomes Active half a second after a change, by a thread that a kill ends. A restart makes it Active.
"""

import queue
import subprocess
import threading
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from seams.compatibility import PINNED_VERSION, IncompatibleEmulatorError, require

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

_failure = threading.local()


def _change_worker_script(script: str) -> str:
    for before, after in _CHANGES:
        if script.count(before) != 1:
            raise IncompatibleEmulatorError(
                f"ministack differs from {PINNED_VERSION}: its Node worker lacks {before.strip()[:80]!r}, "
                "which the seam of Lambda replaces."
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
