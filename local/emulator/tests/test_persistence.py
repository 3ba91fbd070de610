"""What was answered is still there after a kill."""

import contextlib
import json
import threading
import time
import urllib.request

from conftest import LAUNCHER, REGION, FakeSageMaker, eventually

BUCKET = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}


def test_a_kill_loses_nothing_that_is_two_seconds_old(make_emulator):
    emulator = make_emulator().start()
    emulator.client("ssm").put_parameter(Name="/acme/local/DataBucket", Value="data", Type="String")
    emulator.client("s3").create_bucket(Bucket="data", **BUCKET)
    emulator.client("s3").put_object(Bucket="data", Key="surveys/a.csv", Body=b"a", Metadata={"from": "diver"})
    state = emulator.directory / "state"
    eventually(lambda: (state / "ssm.json").exists() and b"DataBucket" in (state / "ssm.json").read_bytes())
    eventually(lambda: (state / "s3.json").exists())
    emulator.kill()
    emulator.start()
    assert emulator.client("ssm").get_parameter(Name="/acme/local/DataBucket")["Parameter"]["Value"] == "data"
    found = emulator.client("s3").get_object(Bucket="data", Key="surveys/a.csv")
    assert (found["Body"].read(), found["Metadata"]) == (b"a", {"from": "diver"})


def test_saving_on_request_needs_no_wait(make_emulator):
    emulator = make_emulator().start()
    emulator.client("ssm").put_parameter(Name="/now", Value="1", Type="String")
    emulator.save()
    emulator.kill()
    emulator.start()
    assert emulator.client("ssm").get_parameter(Name="/now")["Parameter"]["Value"] == "1"


def test_an_item_that_was_answered_survives_a_kill_in_the_same_moment(make_emulator):
    emulator = make_emulator().start()
    table = {
        "TableName": "contact",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    emulator.client("dynamodb").create_table(**table)
    emulator.save()
    answered: list[str] = []

    def write(writer: int) -> None:
        client = emulator.client("dynamodb")
        with contextlib.suppress(Exception):
            for number in range(1000):
                item = f"{writer}-{number}"
                client.put_item(TableName="contact", Item={"id": {"S": item}})
                answered.append(item)

    for _ in range(3):
        known = len(answered)
        writers = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
        for writer in writers:
            writer.start()
        eventually(lambda known=known: len(answered) > known + 20)
        emulator.kill()
        for writer in writers:
            writer.join()
        emulator.start()
        pages = emulator.client("dynamodb").get_paginator("scan").paginate(TableName="contact", ConsistentRead=True)
        found = {item["id"]["S"] for page in pages for item in page["Items"]}
        assert set(answered) <= found


def test_a_stop_saves_and_ends_with_status_zero(make_emulator):
    emulator = make_emulator().start()
    emulator.client("ssm").put_parameter(Name="/last", Value="1", Type="String")
    assert emulator.stop() == 0
    emulator.start()
    assert emulator.client("ssm").get_parameter(Name="/last")["Parameter"]["Value"] == "1"


def test_a_stop_does_not_wait_for_a_function_that_runs(make_emulator):
    emulator = make_emulator().start()
    name = emulator.function(
        "slow", "exports.handler = () => new Promise((done) => setTimeout(done, 300000));", timeout=600
    )
    emulator.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")
    emulator.client("ssm").put_parameter(Name="/kept", Value="1", Type="String")
    assert emulator.stop() == 0
    assert "/kept" in (emulator.directory / "state" / "ssm.json").read_text()


def test_kills_in_the_middle_of_writing_leave_whole_state_and_whole_objects(make_emulator):
    emulator = make_emulator()
    answered: dict[str, bytes] = {}
    for round_ in range(3):
        emulator.start()
        s3 = emulator.client("s3")
        if round_ == 0:
            s3.create_bucket(Bucket="data", **BUCKET)
            emulator.save()
        going = threading.Event()

        def write(round_: int = round_, s3=s3, going=going) -> None:
            number = 0
            while not going.is_set():
                number += 1
                key, body = f"k{number % 7}", f"{round_}-{number}-".encode() * 20_000
                try:
                    s3.put_object(Bucket="data", Key=key, Body=body)
                    answered[key] = body
                except Exception:
                    return

        writer = threading.Thread(target=write)
        writer.start()
        eventually(lambda: len(answered) == 7)
        time.sleep(0.3)
        emulator.kill()
        going.set()
        writer.join()
    emulator.start()
    s3 = emulator.client("s3")
    listed = {item["Key"]: item for item in s3.list_objects_v2(Bucket="data")["Contents"]}
    for key in answered:
        got = s3.get_object(Bucket="data", Key=key, IfMatch=listed[key]["ETag"])
        body = got["Body"].read()
        assert len(body) == listed[key]["Size"]
        assert body == body[: len(body) // 20_000] * 20_000, f"{key} holds a mixture of two writes"


def test_an_execution_that_a_kill_interrupted_is_found_failed(make_emulator):
    sagemaker = FakeSageMaker()
    sagemaker.answers["DescribeTrainingJob"] = {"TrainingJobStatus": "InProgress"}
    emulator = make_emulator(sagemaker.url).start()
    arn = emulator.start_execution(
        {
            "StartAt": "Train",
            "States": {
                "Train": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync",
                    "Arguments": {"TrainingJobName": "t"},
                    "End": True,
                }
            },
        }
    )
    emulator.kill()
    emulator.start()
    found = emulator.execution(arn)
    assert (found["status"], found["error"]) == ("FAILED", "States.ServiceRestart")
    sagemaker.close()


def test_a_function_that_a_kill_caught_in_its_creation_or_update_becomes_ready(make_emulator, tmp_path):
    slow = tmp_path / "slow" / "start.py"
    slow.parent.mkdir()
    slow.write_text(
        "import runpy, sys\n"
        f"sys.path.insert(0, {str(LAUNCHER.parent)!r})\n"
        "import patches.lambda_functions as patch\n"
        "install = patch.install\n"
        "def install_and_never_become_ready():\n"
        "    install()\n"
        "    from ministack.services import lambda_svc\n"
        "    lambda_svc._LAMBDA_STATE_TRANSITION_DELAY = 3600\n"
        "patch.install = install_and_never_become_ready\n"
        f"runpy.run_path({str(LAUNCHER)!r}, run_name='__main__')\n"
    )
    emulator = make_emulator()
    emulator.launcher = slow
    emulator.start()
    emulator.function("f", "exports.handler = async () => 'made';")
    for change in (None, {"Timeout": 7}):
        if change:
            emulator.client("lambda").update_function_configuration(FunctionName="f", **change)
        pending = emulator.client("lambda").get_function_configuration(FunctionName="f")
        assert (pending["State"], pending["LastUpdateStatus"]) == ("Pending", "InProgress")
        emulator.save()
        emulator.kill()
        emulator.start()
        ready = emulator.client("lambda").get_function_configuration(FunctionName="f")
        assert (ready["State"], ready["LastUpdateStatus"]) == ("Active", "Successful")
        assert emulator.client("lambda").invoke(FunctionName="f")["Payload"].read() == b'"made"'


def test_a_damaged_state_file_stops_the_start_with_its_name(make_emulator):
    emulator = make_emulator().start()
    emulator.client("ssm").put_parameter(Name="/kept", Value="1", Type="String")
    emulator.stop()
    damaged = emulator.directory / "state" / "ssm.json"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    process = emulator.spawn()
    assert process.wait(30) == 1
    assert f"The state file {damaged} is damaged" in emulator.log.read_text()
    assert damaged.read_bytes() == whole[: len(whole) // 2], "the damaged file was touched"
    damaged.write_bytes(whole)
    emulator.start()
    assert emulator.client("ssm").get_parameter(Name="/kept")["Parameter"]["Value"] == "1"


def test_two_emulators_never_share_a_state_folder(make_emulator):
    first = make_emulator().start()
    second = make_emulator()
    assert second.spawn().wait(30) == 1
    assert f"in use by process {first.process.pid}" in second.log.read_text()


def test_an_unchanged_service_is_not_written_again(make_emulator):
    emulator = make_emulator().start()
    emulator.client("ssm").put_parameter(Name="/once", Value="1", Type="String")
    emulator.save()
    emulator.client("ssm").get_parameter(Name="/once")
    request = urllib.request.Request(f"{emulator.url}/_ministack/save", method="POST")
    assert json.load(urllib.request.urlopen(request)) == {"saved": 0}
