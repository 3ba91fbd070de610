import json
from pathlib import Path

import pytest

from abalone.feature_contract import CONTRACT_FILE, load_contract
from abalone.features import require_measures


def test_order_and_names_are_those_of_the_shared_file():
    document = json.loads(CONTRACT_FILE.read_text())
    contract = load_contract()

    assert list(contract.feature_names) == [feature["name"] for feature in document["features"]]
    assert contract.dataset_columns == ("record_id", *contract.feature_names, "rings", "surveyed_at")
    assert contract.categories == ("F", "M", "I")
    assert {measure.unit for measure in contract.measures} == {"mm", "g"}


def test_a_second_category_is_refused_with_its_name(tmp_path: Path):
    document = json.loads(CONTRACT_FILE.read_text())
    document["features"].append({"name": "reef", "type": "category", "categories": {"N": "North"}})
    file = tmp_path / "features.json"
    file.write_text(json.dumps(document))

    with pytest.raises(ValueError, match="found sex, reef"):
        load_contract(file)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, None),
        ({"optional": True}, "no required measure height: "),
        ({"name": "depth"}, "no required measure height: "),
    ],
)
def test_the_measures_of_which_features_are_made_are_required(
    tmp_path: Path, change: dict[str, object], expected: str | None
):
    document = json.loads(CONTRACT_FILE.read_text())
    next(feature for feature in document["features"] if feature["name"] == "height").update(change)
    file = tmp_path / "features.json"
    file.write_text(json.dumps(document))

    if expected is None:
        require_measures(load_contract(file))
    else:
        with pytest.raises(ValueError, match=expected):
            require_measures(load_contract(file))
