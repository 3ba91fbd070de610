"""The emulator starts only when it is safe to, and says why when it does not."""

import http.client
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from conftest import LAUNCHER, ROLE, Emulator

sys.path.insert(0, str(LAUNCHER.parent))

from patches import compatibility
from patches.persistence import mend_objects
from settings import SettingsError, clean_environment, read_settings

GOOD = {
    "GATEWAY_PORT": "4566",
    "MINISTACK_REGION": "eu-west-1",
    "MINISTACK_ACCOUNT_ID": "123456789012",
    "STATE_DIR": "/somewhere/state",
    "S3_DATA_DIR": "/somewhere/s3",
    "SAGEMAKER_URL": "http://127.0.0.1:4567",
}


def other_address() -> str | None:
    """An address of this machine that is not a loopback one, found without sending anything."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return None if probe.getsockname()[0].startswith("127.") else probe.getsockname()[0]


def test_only_the_loopback_address_answers(emulator: Emulator):
    listed = (
        subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True).stdout if Path("/usr/bin/ss").exists() else ""
    )
    if not listed:
        listed = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        assert f"0100007F:{emulator.port:04X}" in listed
        assert f"00000000:{emulator.port:04X}" not in listed
    else:
        mine = [line.split()[3] for line in listed.splitlines() if f"pid={emulator.process.pid}," in line]
        assert mine == [f"127.0.0.1:{emulator.port}"]
    address = other_address()
    if address:
        with pytest.raises(OSError), socket.create_connection((address, emulator.port), timeout=5):
            pass


def test_a_taken_port_is_said_in_one_line(make_emulator):
    emulator = make_emulator()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", emulator.port))
        holder.listen()
        assert emulator.spawn().wait(30) == 98
    assert emulator.log.read_text() == (
        f"The AWS emulator cannot start. Port {emulator.port} on 127.0.0.1 is already in use: "
        "stop what listens there, or set another GATEWAY_PORT.\n"
    )
    assert not (emulator.directory / "state").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BIND_HOST", "0.0.0.0"),
        ("BIND_HOST", "example.com"),
        ("BIND_HOST", ""),
        ("GATEWAY_PORT", None),
        ("GATEWAY_PORT", "0"),
        ("GATEWAY_PORT", "65536"),
        ("GATEWAY_PORT", "80a"),
        ("MINISTACK_REGION", "Europe"),
        ("MINISTACK_ACCOUNT_ID", "12345"),
        ("STATE_DIR", "relative"),
        ("S3_DATA_DIR", ""),
        ("SAGEMAKER_URL", None),
        ("SAGEMAKER_URL", "https://runtime.sagemaker.eu-west-1.amazonaws.com"),
        ("SAGEMAKER_URL", "http://192.0.2.1:80"),
        ("SAGEMAKER_URL", "http://127.0.0.1"),
        ("SAGEMAKER_URL", "http://user@example.com:80"),
        ("PIPELINE_URL", ""),
        ("PIPELINE_URL", "http://192.0.2.1:80"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_what_was_expected(name, value):
    environment = {**GOOD, name: value}
    with pytest.raises(SettingsError) as caught:
        read_settings({key: item for key, item in environment.items() if item is not None})
    assert name in str(caught.value)
    assert "expected" in str(caught.value)
    assert value is None or repr(value) in str(caught.value) or str(value) in str(caught.value)


def test_the_process_environment_is_built_from_what_is_allowed():
    host = {"PATH": "/bin", "AWS_PROFILE": "real", "http_proxy": "real", "PYTHONPATH": "real", "MINISTACK_HOST": "real"}
    environment = clean_environment(read_settings(GOOD), host)
    assert "real" not in environment.values()
    assert environment["PATH"] == "/bin"
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert environment["AWS_CONFIG_FILE"] == os.devnull


def test_another_version_or_a_missing_name_stops_the_start(monkeypatch):
    with pytest.raises(
        compatibility.IncompatibleEmulatorError, match=r"differs from 1\.5\.33: os\.no_such_name is missing"
    ):
        compatibility.require(os, "no_such_name")
    with pytest.raises(compatibility.IncompatibleEmulatorError, match=r"os\.getenv takes .*, expected \('key',\)"):
        compatibility.require(os, "getenv", ("key",))
    monkeypatch.setattr(compatibility, "installed_version", lambda: "1.5.34")
    with pytest.raises(compatibility.IncompatibleEmulatorError, match=r"ministack 1\.5\.34 differs from 1\.5\.33"):
        compatibility.require_version()


def test_the_launcher_reports_an_emulator_that_lost_a_name(make_emulator, tmp_path):
    (tmp_path / "early").mkdir()
    (tmp_path / "early" / "start.py").write_text(
        "import runpy, sys\n"
        f"sys.path.insert(0, {str(LAUNCHER.parent)!r})\n"
        "from ministack.services import athena\n"
        "del athena._execute_query\n"
        f"runpy.run_path({str(LAUNCHER)!r}, run_name='__main__')\n"
    )
    environment = make_emulator().environment
    done = subprocess.run(
        [sys.executable, str(tmp_path / "early" / "start.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "ministack 1.5.33 differs from 1.5.33: ministack.services.athena._execute_query is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_starting_needs_no_network(make_emulator, tmp_path):
    """The process opens no socket but to loopback: every other connect and every name look-up ends the test."""
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "start.py").write_text(
        "import ipaddress, os, runpy, socket, sys\n"
        f"sys.path.insert(0, {str(LAUNCHER.parent)!r})\n"
        "def audit(event, arguments):\n"
        "    if event == 'socket.connect' and isinstance(arguments[1], tuple):\n"
        "        if not ipaddress.ip_address(arguments[1][0]).is_loopback:\n"
        "            os.write(2, f'LEFT {event} {arguments[1]}\\n'.encode()); os._exit(42)\n"
        "    if event in ('socket.getaddrinfo', 'socket.gethostbyname') and "
        "arguments[0] not in ('127.0.0.1', 'localhost', None):\n"
        "        os.write(2, f'LEFT {event} {arguments[0]}\\n'.encode()); os._exit(42)\n"
        "sys.addaudithook(audit)\n"
        f"runpy.run_path({str(LAUNCHER)!r}, run_name='__main__')\n"
    )
    emulator = make_emulator()
    emulator.launcher = tmp_path / "guard" / "start.py"
    emulator.start()
    emulator.client("ssm").put_parameter(Name="/a", Value="b", Type="String")
    assert emulator.function("f", "exports.handler = async () => 1;")
    emulator.client("s3").create_bucket(Bucket="b1x", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert emulator.stop() == 0
    assert "LEFT" not in emulator.log.read_text()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "amazonaws.com.evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "https://127.0.0.1.evil.example"},
        {"Origin": "null"},
        {"Origin": "http://d1.cloudfront.net"},
        {"Origin": "https://somebody.s3.amazonaws.com"},
        {"Origin": "https://somebody.lambda-url.eu-west-1.on.aws"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:8080"},
        {},
    ],
)
def test_a_page_of_another_website_cannot_use_the_emulator(emulator: Emulator, headers):
    emulator.client("ssm").put_parameter(Name="/kept", Value="1", Type="String", Overwrite=True)
    connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=10)
    connection.request("POST", "/_ministack/reset", b"", {"Host": f"127.0.0.1:{emulator.port}", **headers})
    answer = connection.getresponse()
    text = answer.read().decode()
    assert answer.status == 403
    told = [value for name, value in headers.items() if name in ("Host", "Origin")]
    assert "Sec-Fetch-Site" in headers or all(value in text for value in told)
    assert emulator.client("ssm").get_parameter(Name="/kept")["Parameter"]["Value"] == "1"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost:1"},
        {"Host": "data.localhost"},
        {"Origin": "http://127.0.0.1:8080"},
    ],
)
def test_programs_of_this_machine_and_own_pages_can(emulator: Emulator, headers):
    connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=10)
    connection.request("GET", "/_ministack/health", headers={"Host": f"127.0.0.1:{emulator.port}", **headers})
    assert connection.getresponse().status == 200


def ask(emulator: Emulator, method: str, target: str, headers: dict[str, str], body: str = "") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=20)
    connection.request(method, target, body.encode() or None, {"Host": f"127.0.0.1:{emulator.port}", **headers})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


#: What a browser tells of a navigation: one that came by another website's redirect, one of a link in an e-mail, and
#: one of a browser that tells nothing.
NAVIGATIONS = (
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    {},
)
FORGED = "X-Amz-Signature=0&X-Amz-Credential=123456789012/20260101/eu-west-1"


@pytest.mark.parametrize("navigation", NAVIGATIONS)
@pytest.mark.parametrize(
    "forged",
    [
        "",
        f"&{FORGED}/s3/aws4_request",
        f"&{FORGED}/cloudformation/aws4_request",
        "&AWSAccessKeyId=1&Signature=1&Expires=9999999999",
    ],
)
@pytest.mark.parametrize("path", ["/", "/_aws/execute-api/", "/_aws/execute-api/x"])
def test_no_redirect_or_link_runs_code(emulator: Emulator, navigation, forged, path):
    template = json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "attacked"}}}})
    query = f"Action=CreateStack&StackName=attack&TemplateBody={quote(template)}{forged}"
    status, _ = ask(emulator, "GET", f"{path}?{query}", navigation)
    assert status == 403
    assert emulator.client("cloudformation").list_stacks()["StackSummaries"] == []
    assert emulator.client("sns").list_topics()["Topics"] == []


@pytest.mark.parametrize("query", ["", f"?{FORGED}/s3/aws4_request"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://d1.cloudfront.net", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Origin": "http://d1.cloudfront.net"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_no_form_runs_code(emulator: Emulator, headers, query):
    wanted = {
        "FunctionName": "attacked",
        "Runtime": "nodejs22.x",
        "Handler": "index.handler",
        "Role": ROLE,
        "Code": {"ZipFile": ""},
    }
    status, _ = ask(
        emulator,
        "POST",
        f"/2015-03-31/functions{query}",
        {"Content-Type": "text/plain", **headers},
        json.dumps(wanted),
    )
    assert status == 403
    assert emulator.client("lambda").list_functions()["Functions"] == []


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", "/", {}),
        ("GET", "/_ministack/sqs/messages", {}),
        ("POST", "/_ministack/config", {}),
        ("POST", "/_ministack/reset", {}),
        ("POST", f"/_ministack/reset?{FORGED}/s3/aws4_request", {}),
        ("POST", "/_ministack/reset", {"Host": "abcdef01.execute-api.eu-west-1.amazonaws.com"}),
        ("POST", "/_ministack/health", {}),
        ("GET", "/_ministack/save", {}),
        ("POST", "/_ministack/save", {"Origin": "http://127.0.0.1:8080"}),
        ("POST", "/_ministack/save", {"Sec-Fetch-Site": "none"}),
        ("GET", "/health", {"Host": "s3.eu-west-1.amazonaws.com"}),
        ("PUT", "/2015-03-31/functions/f/code", {"Authorization": "Basic YTpi"}),
        ("OPTIONS", "/", {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}),
    ],
)
def test_what_is_not_signed_is_refused(emulator: Emulator, method, target, headers):
    assert ask(emulator, method, target, headers)[0] == 403


def test_saving_is_open_to_programs_that_do_not_sign(emulator: Emulator):
    assert ask(emulator, "POST", "/_ministack/save", {})[0] == 200
    assert ask(emulator, "POST", "/_ministack/save", {"Sec-Fetch-Mode": "cors"})[0] == 200, "as Node's fetch asks"


@pytest.mark.parametrize("version", ["s3v4", "s3"])
@pytest.mark.parametrize("navigation", [{}, NAVIGATIONS[1]])
def test_a_presigned_url_opens_its_object(emulator: Emulator, version, navigation):
    s3, presigner = emulator.client("s3"), emulator.client("s3", signature_version=version)
    s3.create_bucket(Bucket="signed", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    wanted = {"Bucket": "signed", "Key": "a b.txt"}
    put = urlsplit(presigner.generate_presigned_url("put_object", Params=wanted))
    assert ask(emulator, "PUT", f"{put.path}?{put.query}", {}, "text")[0] == 200
    got = urlsplit(presigner.generate_presigned_url("get_object", Params=wanted))
    assert ask(emulator, "GET", f"{got.path}?{got.query}", navigation) == (200, "text")
    assert ask(emulator, "GET", got.path, navigation)[0] == 403
    s3.delete_object(**wanted)
    s3.delete_bucket(Bucket="signed")


def test_nonsense_on_the_port_harms_nothing(emulator: Emulator):
    for content in (b"\x16\x03\x01\x00\xff", b"GET", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", emulator.port), timeout=10) as connection:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1024)
    connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=10)
    connection.request(
        "POST", "/", b"{", {"X-Amz-Target": "AWSStepFunctions.StartExecution", "Authorization": "AWS4-HMAC-SHA256 no"}
    )
    assert connection.getresponse().status == 400


def test_half_written_objects_are_mended_from_their_bytes(tmp_path):
    bucket = tmp_path / "123456789012" / "data" / "runs"
    bucket.mkdir(parents=True)
    for name in ("whole", "torn"):
        (bucket / name).write_bytes(b"first")
        (bucket / f"{name}.meta.json").write_text(
            '{"size": 5, "etag": "\\"8b04d5e3775d298e78455efc5ca404d5\\"", "content_type": "text/csv", "key": "k"}'
        )
    (bucket / "torn").write_bytes(b"the second")
    os.utime(bucket / "torn", ns=(2**62, 2**62))
    assert mend_objects(tmp_path) == 1
    assert '"size": 10' in (bucket / "torn.meta.json").read_text()
    assert "8b04d5" not in (bucket / "torn.meta.json").read_text()
    assert '"content_type": "text/csv"' in (bucket / "torn.meta.json").read_text()
    assert '"size": 5' in (bucket / "whole.meta.json").read_text()
    os.utime(bucket / "torn.meta.json", ns=(2**62, 2**62))
    assert mend_objects(tmp_path) == 0
