"""Patch: streams of DynamoDB that survive a stop and a kill.

ministack keeps how far a function has read a table's stream, but not the stream: after a restart the stream was empty,
so that what had not been read was lost, and as many new records as had been read before were passed over. Here the
records are kept with the tables, for the 24 hours that DynamoDB keeps them: what was written just before a kill is read
after it.
"""

from typing import Any

from patches.compatibility import require


def install() -> None:
    """Patches ministack's DynamoDB: what it saves, and what it loads."""
    from ministack.services import dynamodb

    get_state = require(dynamodb, "get_state", ())
    load_state = require(dynamodb, "load_persisted_state", ("data",))
    kept = {name: require(dynamodb, f"_{name}") for name in ("stream_records", "stream_trimmed")}

    def get_state_with_streams() -> dict[str, Any]:
        state = get_state()
        for name, store in kept.items():
            # Records are added, never changed: to copy the lists is enough.
            copied = type(store)()
            for (account, region, table), value in store.all_items():
                copied.set_scoped(account, region, table, list(value) if isinstance(value, list) else value)
            state[name] = copied
        return state

    def load_state_with_streams(data: dict[str, Any]) -> None:
        load_state(data)
        for name, store in kept.items():
            if name in data:
                store.update(data[name])

    dynamodb.get_state = get_state_with_streams
    dynamodb.load_persisted_state = load_state_with_streams
