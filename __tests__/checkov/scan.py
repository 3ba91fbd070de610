"""Let checkov look at Terraform's JSON, and tell what it read as well as what it found.

    python scan.py terraform_json stacks/data/cdk.tf.json stacks/network/cdk.tf.json
    python scan.py terraform_plan plans/data.json

checkov's own command line counts no resources of `terraform_json`, names most of them without their type, and ends well
when it could read nothing. The answer on standard output is one JSON object; `scan.ts` describes it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any


def refuse_network(event: str, _arguments: tuple[Any, ...]) -> None:
    """Keep checkov from its platform, from which it would fetch guidelines and severities."""
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise RuntimeError("checkov reached for the network")


sys.addaudithook(refuse_network)

from checkov.common.output.report import Report  # noqa: E402  (after the hook, so that no import slips through)
from checkov.runner_filter import RunnerFilter  # noqa: E402
from checkov.terraform.plan_runner import Runner as PlanRunner  # noqa: E402
from checkov.terraform_json.runner import TerraformJsonRunner  # noqa: E402


def addresses(definition: dict[str, Any]) -> dict[str, str]:
    """The addresses of a file's resources and data sources, by the names that checkov's records have for them."""
    found: dict[str, str] = {}
    for kind, prefix in (("resource", ""), ("data", "data.")):
        for block in definition.get(kind, []):
            for resource_type, by_name in block.items():
                for name in by_name:
                    address = f"{prefix}{resource_type}.{name}"
                    other = found.setdefault(f"{kind}.{name}", address)
                    if other != address:
                        raise RuntimeError(f"{other} and {address} have one name, by which checkov's records know them")
                    found[address] = address
    return found


def only_report(reports: Report | list[Report]) -> Report:
    """The report on the one framework that was asked for."""
    report, *others = reports if isinstance(reports, list) else [reports]
    if others:
        raise RuntimeError(f"checkov gave {len(others) + 1} reports instead of one")
    return report


def failures(report: Report, names: dict[str, str]) -> Iterable[dict[str, str]]:
    """The failed checks, each with the address of its resource."""
    for record in report.failed_checks:
        yield {
            "address": names.get(record.resource, record.resource),
            "check": record.check_id,
            "name": record.check_name,
        }


def scan_json(file: str) -> dict[str, Any]:
    """Look at one stack's JSON."""
    runner = TerraformJsonRunner()
    runner.pbar.turn_off_progress_bar()
    report = only_report(runner.run(files=[file], runner_filter=RunnerFilter(framework=["terraform_json"])))
    names: dict[str, str] = {}
    for definition in runner.definitions.values():
        names.update(addresses(definition))
    return {
        "file": file,
        "addresses": sorted(set(names.values())),
        "parsingErrors": report.parsing_errors,
        "passed": len(report.passed_checks),
        "failed": list(failures(report, names)),
    }


def scan_plan(file: str) -> dict[str, Any]:
    """Look at a plan as `terraform show -json` tells it."""
    runner = PlanRunner()
    runner.pbar.turn_off_progress_bar()
    report = only_report(runner.run(files=[file], runner_filter=RunnerFilter(framework=["terraform_plan"])))
    return {
        "file": file,
        "addresses": sorted(resource.rpartition(":")[2] for resource in report.resources),
        "parsingErrors": report.parsing_errors,
        "passed": len(report.passed_checks),
        "failed": list(failures(report, {})),
    }


def main(framework: str, files: list[str]) -> None:
    """Look at each file for itself, and print the answer."""
    scan = {"terraform_json": scan_json, "terraform_plan": scan_plan}[framework]
    answer = {"version": version("checkov"), "files": [scan(file) for file in files]}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
