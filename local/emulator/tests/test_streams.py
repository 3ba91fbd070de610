"""A function behind a table's stream sees every item once, whatever happens to the emulator."""

from collections.abc import Callable

from conftest import Emulator, eventually

TABLE = {
    "TableName": "contact",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
}
#: Writes the keys that it gets into a file, or fails as long as another file says so.
SOURCE = """
const fs = require("node:fs");
exports.handler = async ({ Records }) => {
  if (fs.existsSync(process.env.FAILS)) throw new Error("not now");
  for (const { eventName, dynamodb } of Records) {
    if (Object.keys(dynamodb).includes("NewImage")) throw new Error("an image");
    fs.appendFileSync(process.env.SEEN, `${eventName} ${dynamodb.Keys.id.S}\\n`);
  }
};
"""


class Table:
    """A table with a function behind its stream."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.seen_file = emulator.directory / "seen"
        self.fails = emulator.directory / "fails"
        stream = emulator.client("dynamodb").create_table(**TABLE)["TableDescription"]["LatestStreamArn"]
        emulator.function("reader", SOURCE, {"SEEN": str(self.seen_file), "FAILS": str(self.fails)})
        emulator.client("lambda").create_event_source_mapping(
            FunctionName="reader",
            EventSourceArn=stream,
            StartingPosition="TRIM_HORIZON",
            BatchSize=10,
            FilterCriteria={"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]},
        )
        emulator.save()

    def put(self, *ids: str) -> None:
        for each in ids:
            self.emulator.client("dynamodb").put_item(TableName="contact", Item={"id": {"S": each}})

    @property
    def seen(self) -> set[str]:
        return set(self.seen_file.read_text().splitlines()) if self.seen_file.exists() else set()


def test_insertions_arrive_as_keys_and_changes_do_not(make_emulator: Callable[..., Emulator]) -> None:
    table = Table(make_emulator().start())
    table.put("a")
    client = table.emulator.client("dynamodb")
    client.update_item(
        TableName="contact",
        Key={"id": {"S": "a"}},
        UpdateExpression="SET mailed = :yes",
        ExpressionAttributeValues={":yes": {"BOOL": True}},
    )
    client.delete_item(TableName="contact", Key={"id": {"S": "a"}})
    table.put("b")
    eventually(lambda: "INSERT b" in table.seen)
    assert table.seen == {"INSERT a", "INSERT b"}


def test_what_was_not_read_at_a_kill_is_read_after_it(make_emulator: Callable[..., Emulator]) -> None:
    table = Table(make_emulator().start())
    table.put("before")
    eventually(lambda: table.seen == {"INSERT before"})
    table.fails.touch()
    table.put("unread")
    table.emulator.kill()
    table.fails.unlink()
    table.emulator.start()
    eventually(lambda: "INSERT unread" in table.seen)


def test_what_comes_after_a_restart_is_not_passed_over(make_emulator: Callable[..., Emulator]) -> None:
    table = Table(make_emulator().start())
    table.put("1", "2", "3")
    eventually(lambda: len(table.seen) == 3)
    table.emulator.stop()
    table.emulator.start()
    table.put("4")
    eventually(lambda: "INSERT 4" in table.seen)
    table.emulator.kill()
    table.emulator.start()
    table.put("5")
    eventually(lambda: "INSERT 5" in table.seen)
