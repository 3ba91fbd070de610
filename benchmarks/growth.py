"""`process` as the image runs it, from a survey file in the place of Athena: `python growth.py SURVEY.csv BASE_FOLDER`.

The file's rows come page by page in Athena's own shape, so that everything is measured but the query and the network.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from abalone import processing
from abalone.feature_contract import load_contract
from abalone.folders import Folders

# Athena's largest page (API reference, GetQueryResults).
PAGE = 1000


class Services:
    """SageMaker and Athena, as far as `process` calls them."""

    def __init__(self, survey: Path) -> None:
        """With the rows of a survey file in the offline store."""
        self._survey = survey
        self._columns = load_contract().dataset_columns

    def describe_feature_group(self, **_request: str) -> dict[str, Any]:
        """Where the offline store's table is."""
        return {"OfflineStoreConfig": {"DataCatalogConfig": {"Database": "database", "TableName": "table"}}}

    def start_query_execution(self, **_request: object) -> dict[str, str]:
        """A query."""
        return {"QueryExecutionId": "query"}

    def get_query_execution(self, **_request: str) -> dict[str, Any]:
        """Ended."""
        return {"QueryExecution": {"Status": {"State": "SUCCEEDED"}}}

    def get_paginator(self, _operation: str) -> "Services":
        """This is the paginator, too."""
        return self

    def paginate(self, **_request: str) -> Iterator[dict[str, Any]]:
        """The result, the columns' names first."""
        with self._survey.open(encoding="utf-8", newline="") as stream:
            rows = [self._row(self._columns)]
            for record in csv.DictReader(stream):
                rows.append(self._row([record[name] for name in self._columns]))
                if len(rows) == PAGE:
                    yield {"ResultSet": {"Rows": rows}}
                    rows = []
            yield {"ResultSet": {"Rows": rows}}

    @staticmethod
    def _row(values: tuple[str, ...] | list[str]) -> dict[str, Any]:
        return {"Data": [{"VarCharValue": value} for value in values]}


def main(survey: Path, base: Path) -> None:
    """Writes what `process` writes below the base folder."""
    services = Services(survey)
    processing.client = lambda _service: services
    sys.argv = ["process", "--feature-group", "survey", "--workgroup", "none", "--query-output", "s3://none/"]
    processing.process(Folders(base))


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
