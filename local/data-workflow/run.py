"""Runs the DAG of the data workflow once, in Airflow itself, against the platform of `make up`.

Airflow's database is below AIRFLOW_HOME. AWS is at AWS_ENDPOINT_URL, and the names of resources are in Airflow
Variables, which come from SSM's Parameter Store as on MWAA. Differences from MWAA: one process runs all tasks in
sequence, the sensor checks once instead of for twenty hours, and retries come after seconds instead of minutes.

Prints one JSON object per line: each ended attempt of a task, and at the end the run's result. Airflow's own output
goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import redirect_stdout
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from airflow.listeners import hookimpl
from airflow.listeners.listener import get_listener_manager
from airflow.models import DagBag
from airflow.sdk.execution_time import supervisor

DAG_ID = "acme-data-workflow"
FILE = Path(__file__).resolve().parents[2] / "airflow-dags" / "acme_data_workflow.py"
RETRY_DELAY = timedelta(seconds=10)

events = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)


def tell(event: dict[str, Any]) -> None:
    """Send an event to the parent process."""
    print(json.dumps(event), file=events)


class Tell:
    """Reports each task's result."""

    @hookimpl
    def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:
        """Airflow calls this after a task's own work."""
        result = task_instance.xcom_pull(task_ids=task_instance.task_id, map_indexes=task_instance.map_index)
        self.tell(task_instance, "success", result=result)

    @hookimpl
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None:
        """Airflow calls this after an attempt that failed, and may try again."""
        self.tell(task_instance, "failed", reason=str(error))

    @hookimpl
    def on_task_instance_skipped(self, previous_state: Any, task_instance: Any) -> None:
        """Airflow calls this after a task that found nothing to do."""
        self.tell(task_instance, "skipped")

    def tell(self, task: Any, state: str, **more: Any) -> None:
        """Tell one event."""
        tell(
            {
                "task": task.task_id,
                "index": task.map_index,
                "state": state,
                "try": task.try_number,
                **more,
            }
        )


def main() -> int:
    """Run the DAG; 0 when the run succeeded."""
    # The API for tasks, in this process. Airflow would create it again for each task, which takes most of a run's time.
    supervisor.in_process_api_server = cache(supervisor.in_process_api_server)
    get_listener_manager().add_listener(Tell())
    bag = DagBag(FILE, include_examples=False)
    if bag.import_errors:
        tell({"error": "\n".join(bag.import_errors.values())})
        return 1
    dag = bag.dags[DAG_ID]
    for task in dag.tasks:
        task.retry_delay = RETRY_DELAY
        task.retry_exponential_backoff = False
    dag.get_task("wait_for_surveys").timeout = 0
    run = dag.test()
    results = {}
    for task in sorted(run.get_task_instances(), key=lambda task: (task.task_id, task.map_index)):
        entry = {"index": task.map_index, "state": str(task.state)}
        results.setdefault(task.task_id, []).append(
            entry | {"result": task.xcom_pull(task_ids=task.task_id, map_indexes=task.map_index)}
        )
    tell({"run": run.run_id, "state": str(run.state), "tasks": results})
    return 0 if str(run.state) == "success" else 1


if __name__ == "__main__":
    with redirect_stdout(sys.stderr):
        status = main()
    sys.exit(status)
