/** From the model image's own evaluation to a card that SageMaker takes: no card is made up here. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { completeModelCard } from "../../handlers/register-model/model-card";
import { readPublicFigures } from "../../handlers/register-model/public-figures";
import { nameAfterVersion, statusInWords } from "../../local/platform/model-card";
import { modelCardContent } from "sagemaker-local/model-card";
import { projectRoot } from "../../modules/project-root";

const folder = mkdtempSync(join(tmpdir(), "model-card-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/**
 * Simulated rows with the identifiers of every origin, a model trained on them, and its evaluation without and with a
 * champion.
 */
const script = `
import json, os, shutil, sys
from dataclasses import replace
from pathlib import Path
sys.path[:0] = [sys.argv[1]]
from abalone.feature_contract import load_contract
from abalone.processing import write_data_sets
from tests.commands import command, pack_model
from tests.surveys import survey

base = Path(sys.argv[2])
prefixes = ("uci-", "sim-", "bay-")
records = [replace(r, record_id=prefixes[i % 3] + str(i)) for i, r in enumerate(survey(600))]
summary = write_data_sets(load_contract(), (r.values for r in records), base / "input/data")
(base / "input/config").mkdir(parents=True)
(base / "input/config/hyperparameters.json").write_text('{"networks": "2", "epochs": "2"}')
assert command("train", base, TRAINING_JOB_NAME="card-train").returncode == 0
shutil.copytree(base / "input/data/test", base / "processing/input/test")
(base / "processing/input/summary").mkdir()
(base / "processing/input/summary/summary.json").write_text(json.dumps(summary))
pack_model(base / "model", base / "processing/input/model/model.tar.gz")
result = command("evaluate", base)
assert result.returncode == 0, result.stdout
`;

beforeAll(() => {
  execFileSync(join(projectRoot, ".venv/model/bin/python"), ["-c", script, join(projectRoot, "model-image"), folder], {
    env: { PATH: process.env.PATH, HOME: folder, PYTHONPYCACHEPREFIX: join(projectRoot, ".venv/model/pycache") },
    timeout: 120_000,
  });
}, 180_000);

test("what the evaluation job writes becomes a card that keeps to SageMaker's schema", () => {
  const written = readFileSync(join(folder, "processing/output/evaluation/model-card.json"), "utf8");

  const card: unknown = JSON.parse(
    completeModelCard(written, {
      runName: "run",
      trainingJobName: "card-train",
      modelDataUrl: "s3://bucket/model.tar.gz",
      imageUri: "image@sha256:0",
      datasetUri: "s3://bucket/runs/run/dataset",
      evaluationUri: "s3://bucket/runs/run/evaluation",
      judgement: {
        outcome: "no champion yet",
        rmse: 2,
        threshold: 2.3,
        rows: 90,
        goodEnough: true,
        better: true,
        champion: null,
        comparison: null,
      },
    }),
  );

  expect(modelCardContent.safeParse(card).error?.issues ?? []).toEqual([]);
  const text = JSON.stringify(card);
  for (const told of [
    "Training job card-train",
    "CC BY 4.0",
    "of 100 rows: 75 train",
    "Coverage by sex",
    "Coverage by age",
  ]) {
    expect(text).toContain(told);
  }
});

test("the page that it writes is called after the registered version when it is fetched, and still tells its training job", () => {
  const written = readFileSync(join(folder, "processing/output/evaluation/model-card.html"), "utf8");
  expect(written).toContain("<h1>Model card: card-train</h1>");

  const named = nameAfterVersion(written, "acme-local-ml-workflow-abalone/3");

  expect(named).toContain("<title>Model card: version 3 of acme-local-ml-workflow-abalone</title>");
  expect(named).toContain("<h1>Model card: version 3 of acme-local-ml-workflow-abalone</h1>");
  expect(named).toContain("Training job: card-train.");
  expect(named.match(/card-train/g)).toHaveLength(1);
});

test("an unread card does not mean an unapproved model", () => {
  expect(statusInWords("PendingReview")).toBe("PendingReview: nobody has said yet that they have read it");
  expect(statusInWords("Approved")).toBe("Approved");
});

test("what the evaluation job tells the website keeps to what is agreed, and shows every animal of a small survey", () => {
  const written = readFileSync(join(folder, "processing/output/evaluation/public-figures.json"), "utf8");
  const figures = readPublicFigures(written, "s3://bucket/runs/run/evaluation");
  expect(figures.survey.points).toHaveLength(600);
  expect(figures.data.rows).toBe(600);
  expect(Math.abs(Date.parse(figures.model.trainedAt) - Date.now())).toBeLessThan(3_600_000);
  // Nobody finds an animal by it.
  expect(written).not.toMatch(/"(uci|sim|bay)-\d/);
});
