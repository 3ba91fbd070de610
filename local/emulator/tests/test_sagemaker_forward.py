"""SageMaker's three services, and a pipeline where there is one, answer on the emulator's own address."""

import concurrent.futures
import io
import json

import pytest
from botocore.exceptions import ClientError
from conftest import REGION, Emulator, FakeSageMaker


@pytest.fixture(autouse=True)
def forget(shared_sagemaker: FakeSageMaker):
    shared_sagemaker.requests.clear()
    shared_sagemaker.answers.clear()


def test_the_control_plane_arrives_with_target_and_body(emulator: Emulator, shared_sagemaker: FakeSageMaker):
    shared_sagemaker.answers["DescribeEndpoint"] = {"EndpointName": "abalone", "EndpointStatus": "InService"}
    answer = emulator.client("sagemaker").describe_endpoint(EndpointName="abalone")
    assert answer["EndpointStatus"] == "InService"
    request = shared_sagemaker.requests[0]
    assert json.loads(request["body"]) == {"EndpointName": "abalone"}
    assert f"/{REGION}/sagemaker/aws4_request" in request["headers"]["authorization"]


def test_the_runtime_passes_bytes_and_headers_both_ways(emulator: Emulator, shared_sagemaker: FakeSageMaker):
    shared_sagemaker.answers["POST /endpoints/abalone/invocations"] = b"9.1,7.2,12.8\n"
    answer = emulator.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="abalone", ContentType="text/csv", Accept="text/csv", Body=b"M,91,\xc3\xa9\x00"
    )
    assert answer["Body"].read() == b"9.1,7.2,12.8\n"
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-fake"] == "sagemaker"
    assert shared_sagemaker.requests[0]["body"] == b"M,91,\xc3\xa9\x00"
    assert shared_sagemaker.requests[0]["headers"]["content-type"] == "text/csv"


def test_the_feature_store_runtime_keeps_path_and_query(emulator: Emulator, shared_sagemaker: FakeSageMaker):
    client = emulator.client("sagemaker-featurestore-runtime")
    client.put_record(FeatureGroupName="surveys é", Record=[{"FeatureName": "rings", "ValueAsString": "9"}])
    client.get_record(FeatureGroupName="g", RecordIdentifierValueAsString="a/b c", FeatureNames=["x", "y"])
    assert [request["path"] for request in shared_sagemaker.requests] == [
        "/FeatureGroup/surveys%20%C3%A9",
        "/FeatureGroup/g?RecordIdentifierValueAsString=a%2Fb%20c&FeatureName=x&FeatureName=y",
    ]


def test_a_body_of_many_megabytes_arrives_whole_in_both_directions(emulator: Emulator, shared_sagemaker: FakeSageMaker):
    content = bytes(range(256)) * (5 << 12)
    shared_sagemaker.answers["POST /endpoints/echo/invocations"] = lambda body: (200, body)
    answer = emulator.client("sagemaker-runtime").invoke_endpoint(EndpointName="echo", Body=io.BytesIO(content))
    assert answer["Body"].read() == content


def test_errors_of_the_service_arrive_unchanged(emulator: Emulator, shared_sagemaker: FakeSageMaker):
    shared_sagemaker.answers["DescribeModel"] = (400, {"__type": "ValidationException", "message": "no such model: é"})
    with pytest.raises(ClientError) as caught:
        emulator.client("sagemaker").describe_model(ModelName="none")
    assert caught.value.response["Error"] == {"Code": "ValidationException", "Message": "no such model: é"}


def test_a_thousand_records_by_many_clients_arrive_once_each(emulator: Emulator, shared_sagemaker: FakeSageMaker):
    client = emulator.client("sagemaker-featurestore-runtime", max_pool_connections=16)

    def put(number: int) -> None:
        client.put_record(FeatureGroupName="g", Record=[{"FeatureName": "id", "ValueAsString": str(number)}])

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(put, range(1000)))
    arrived = [json.loads(request["body"])["Record"][0]["ValueAsString"] for request in shared_sagemaker.requests]
    assert sorted(map(int, arrived)) == list(range(1000))


def test_other_services_do_not_reach_it(emulator: Emulator, shared_sagemaker: FakeSageMaker):
    emulator.client("s3").create_bucket(
        Bucket="sagemaker-bucket", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    emulator.client("s3").put_object(Bucket="sagemaker-bucket", Key="endpoints/x/invocations", Body=b"x")
    emulator.client("ssm").put_parameter(Name="/sagemaker", Value="x", Type="String")
    assert shared_sagemaker.requests == []


def test_while_the_service_is_down_a_client_learns_what_to_do_and_later_it_works(make_emulator):
    down = FakeSageMaker()
    port = down.server_port
    down.close()
    emulator = make_emulator(f"http://127.0.0.1:{port}").start()
    with pytest.raises(ClientError) as caught:
        emulator.client("sagemaker").list_models()
    assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert "make up" in caught.value.response["Error"]["Message"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    up = FakeSageMaker(port)
    up.answers["ListModels"] = {"Models": []}
    assert emulator.client("sagemaker").list_models()["Models"] == []
    up.close()
    again = FakeSageMaker(port)
    again.answers["ListModels"] = {"Models": []}
    assert emulator.client("sagemaker").list_models()["Models"] == [], "a closed connection of the pool was used again"
    again.close()


def test_what_is_signed_for_codepipeline_goes_to_the_pipeline_and_nothing_else(make_emulator):
    pipeline = FakeSageMaker()
    pipeline.answers["CodePipeline_20150709.StartPipelineExecution"] = {"pipelineExecutionId": "1"}
    emulator = make_emulator(PIPELINE_URL=f"http://127.0.0.1:{pipeline.server_port}").start()
    started = emulator.client("codepipeline").start_pipeline_execution(name="acme", clientRequestToken="a")
    assert started["pipelineExecutionId"] == "1"
    emulator.client("ssm").put_parameter(Name="/codepipeline", Value="x", Type="String")
    assert [json.loads(request["body"]) for request in pipeline.requests] == [
        {"name": "acme", "clientRequestToken": "a"}
    ]
    pipeline.close()
