"""Lambda as the handlers and the state machine know it."""

import base64
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import ACCOUNT, REGION, Emulator, eventually

THROWS = """
class ModelMissing extends Error { constructor(message) { super(message); this.name = "ModelMissing"; } }
let calls = 0;
exports.handler = async (event) => {
  calls += 1;
  if (event.how === "throw") throw new ModelMissing("no model in é.tar.gz");
  if (event.how === "string") return Promise.reject("only text");
  if (event.how === "nothing") return Promise.reject();
  if (event.how === "circular") { const a = {}; a.a = a; return a; }
  if (event.how === "exit") { console.error("the last words"); process.exit(3); }
  if (event.how === "timeout") await new Promise((done) => setTimeout(done, 60000));
  return { calls, pid: process.pid };
};
"""


@pytest.fixture(scope="module")
def throws(emulator: Emulator) -> str:
    return emulator.function("throws", THROWS, timeout=3)


def invoke(emulator: Emulator, name: str, event=None, **options):
    answer = emulator.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event or {}), **options)
    return answer, json.loads(answer["Payload"].read())


def test_a_thrown_error_keeps_type_message_and_trace(emulator, throws):
    answer, body = invoke(emulator, throws, {"how": "throw"})
    assert answer["FunctionError"]
    assert (body["errorType"], body["errorMessage"]) == ("ModelMissing", "no model in é.tar.gz")
    assert "index.js" in "".join(body["trace"])


@pytest.mark.parametrize(
    ("how", "kind", "text"),
    [
        ("string", "string", "only text"),
        ("nothing", "undefined", "undefined"),
        ("circular", "Runtime.MarshalError", "circular"),
        ("exit", "Runtime.ExitError", "the last words"),
        ("timeout", "Sandbox.Timedout", "timed out"),
    ],
)
def test_no_kind_of_failure_loses_its_message(emulator, throws, how, kind, text):
    answer, body = invoke(emulator, throws, {"how": how})
    assert answer["FunctionError"]
    assert body["errorType"] == kind
    assert text in body["errorMessage"]
    assert "calls" in invoke(emulator, throws)[1], "the function works again after it failed"


def test_an_error_keeps_the_worker_warm(emulator, throws):
    before = invoke(emulator, throws)[1]
    invoke(emulator, throws, {"how": "throw"})
    after = invoke(emulator, throws)[1]
    assert after == {"pid": before["pid"], "calls": before["calls"] + 2}


def test_a_state_machine_catches_and_retries_by_the_errors_name(emulator, throws):
    definition = {
        "StartAt": "Call",
        "States": {
            "Call": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Arguments": {"FunctionName": throws, "Payload": "{% $states.input %}"},
                "Output": "{% $states.result.Payload %}",
                "Catch": [
                    {"ErrorEquals": ["Runtime.HandlerError"], "Next": "Wrong"},
                    {
                        "ErrorEquals": ["ModelMissing"],
                        "Output": "{% $parse($states.errorOutput.Cause).errorMessage %}",
                        "Next": "Caught",
                    },
                ],
                "End": True,
            },
            "Wrong": {"Type": "Fail", "Error": "Wrong"},
            "Caught": {"Type": "Succeed"},
        },
    }
    done = emulator.run(definition, {"how": "throw"})
    assert (done["status"], json.loads(done["output"])) == ("SUCCEEDED", "no model in é.tar.gz")
    assert json.loads(emulator.run(definition, {})["output"])["calls"] > 0


def test_each_call_has_its_own_log(emulator):
    name = emulator.function(
        "logs",
        """exports.handler = async ({ n }) => {
          for (let i = 0; i < 50; i += 1) console.log(`line ${n}-${i}`);
          process.stdout.write(`last of ${n}, unended`);
          return n;
        };""",
    )
    for n in range(5):
        answer, body = invoke(emulator, name, {"n": n}, LogType="Tail")
        log = base64.b64decode(answer["LogResult"]).decode()
        assert body == n
        assert f"line {n}-49" in log and f"last of {n}, unended" in log
        assert f"of {n - 1}," not in log and "\x00" not in log
    stream = emulator.client("logs")

    def logged() -> str:
        found = stream.filter_log_events(logGroupName="/aws/lambda/logs")["events"]
        return "\n".join(event["message"] for event in found)

    eventually(lambda: "last of 4, unended" in logged())


def test_nothing_of_the_host_and_nothing_of_the_emulator_reaches_a_function(make_emulator):
    emulator = make_emulator(
        AWS_PROFILE="real",
        AWS_ACCESS_KEY_ID="AKIAREAL",
        AWS_SECRET_ACCESS_KEY="real",
        AWS_SESSION_TOKEN="real",
        AWS_ENDPOINT_URL="https://real.example",
        AWS_ENDPOINT_URL_S3="https://real.example",
        HTTPS_PROXY="http://real.example:1",
        NODE_OPTIONS="--no-such-option",
        SECRET_OF_THE_HOST="real",
        LOG_LEVEL="ERROR",
    ).start()
    name = emulator.function(
        "environment", "exports.handler = async () => process.env;", {"LOG_LEVEL": "INFO", "A": "b"}
    )
    _, seen = invoke(emulator, name)
    assert "real" not in json.dumps({k: v for k, v in seen.items() if k not in ("PATH", "HOME")}).lower()
    assert (seen["LOG_LEVEL"], seen["A"]) == ("INFO", "b")
    assert seen["AWS_ENDPOINT_URL"] == emulator.url
    # A session of the function's role, never the account's own key.
    assert seen["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert seen["AWS_SESSION_TOKEN"]
    assert seen["AWS_REGION"] == "eu-west-1"
    allowed = {
        "A", "LANG", "LC_ALL", "HOME", "PATH", "TZ", "TMPDIR", "LOG_LEVEL", "LAMBDA_TASK_ROOT",
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED",
    }  # fmt: skip
    strange = {
        k for k in seen if k not in allowed and not k.startswith(("AWS_LAMBDA_", "_LAMBDA_", "_MINISTACK_", "_X_AMZN"))
    }
    assert strange <= {"BOTO_DISABLE_HOST_PREFIX", "AWS_DISABLE_HOST_PREFIX_INJECTION"}, strange


def test_node_22_runs_the_functions(emulator):
    name = emulator.function("version", "exports.handler = async () => process.version;")
    assert invoke(emulator, name)[1].startswith("v22.")


def test_a_function_reaches_the_emulator_by_its_endpoint(emulator):
    name = emulator.function(
        "reaches",
        """exports.handler = async () => (await fetch(process.env.AWS_ENDPOINT_URL + "/_ministack/ready")).status;""",
    )
    assert invoke(emulator, name)[1] == 200


def test_a_kill_leaves_no_function_running_and_no_files_behind(make_emulator):
    emulator = make_emulator().start()
    name = emulator.function("left", "exports.handler = async () => [process.pid, __dirname];")
    pid, folder = invoke(emulator, name)[1]
    assert Path(folder).is_dir()
    emulator.kill()

    def gone() -> bool:
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
        return state == "" or state.startswith("Z")

    eventually(gone)
    emulator.start()
    assert not Path(folder).is_dir()


def processes_of(emulator: Emulator) -> int:
    """How many Node workers the emulator has."""
    assert emulator.process is not None
    listed = subprocess.run(["ps", "-A", "-o", "ppid=,args="], capture_output=True, text=True, check=True).stdout
    return sum(
        line.split()[0] == str(emulator.process.pid) and "node" in line.split()[1] for line in listed.splitlines()
    )


def test_parallel_calls_wait_for_one_of_a_few_workers(make_emulator):
    emulator = make_emulator().start()
    waits = "await new Promise((done) => setTimeout(done, 50));"
    name = emulator.function("waits", f"exports.handler = async () => {{ {waits} return process.pid; }};", timeout=3)
    with ThreadPoolExecutor(60) as pool:
        pids = [body for _, body in pool.map(lambda _: invoke(emulator, name), range(60))]
    assert all(isinstance(pid, int) for pid in pids)
    assert 1 < len(set(pids)) <= 8
    assert processes_of(emulator) == len(set(pids))


def test_functions_that_call_others_in_parallel_do_not_block_each_other(make_emulator):
    emulator = make_emulator().start()
    inner = emulator.function("inner", "exports.handler = async () => process.pid;")
    outer = emulator.function(
        "outer",
        f"""exports.handler = async () => {{
          const url = process.env.AWS_ENDPOINT_URL + "/2015-03-31/functions/{inner.split(":")[-1]}/invocations";
          const authorization = "AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/{REGION}/lambda/aws4_request";
          const answer = await fetch(url, {{ method: "POST", body: "{{}}", headers: {{ authorization }} }});
          return answer.status;
        }};""",
    )
    call = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": {"FunctionName": outer}}
    done = emulator.run(
        {
            "StartAt": "All",
            "States": {
                "All": {
                    "Type": "Map",
                    "Items": list(range(30)),
                    "ItemProcessor": {
                        "StartAt": "Call",
                        "States": {"Call": {**call, "Output": "{% $states.result.Payload %}", "End": True}},
                    },
                    "End": True,
                }
            },
        }
    )
    assert (done["status"], json.loads(done["output"])) == ("SUCCEEDED", [200] * 30)
