import { type CreateModelPackageCommandInput, paginateListModelPackages } from "@aws-sdk/client-sagemaker";
import { account, bucket, image, Platform, region, role } from "./support/service";

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start();
}, 180_000);
afterAll(() => platform.stop(), 60_000);
jest.setTimeout(120_000);

const arn = (kind: string, name: string): string => `arn:aws:sagemaker:${region}:${account}:${kind}/${name}`;
const createGroup = (name: string): Promise<unknown> =>
  platform.sagemaker.createModelPackageGroup({ ModelPackageGroupName: name });
async function createPackage(group: string, changes: Partial<CreateModelPackageCommandInput> = {}): Promise<string> {
  const { ModelPackageArn } = await platform.sagemaker.createModelPackage({
    ModelPackageGroupName: group,
    InferenceSpecification: {
      Containers: [{ Image: image, ModelDataUrl: `s3://${bucket}/model.tar.gz` }],
      SupportedContentTypes: ["text/csv"],
      SupportedResponseMIMETypes: ["text/csv"],
    },
    ...changes,
  });
  return ModelPackageArn ?? "";
}
const approve = (packageArn: string, status: "Approved" | "Rejected"): Promise<unknown> =>
  platform.sagemaker.updateModelPackage({
    ModelPackageArn: packageArn,
    ModelApprovalStatus: status,
    ApprovalDescription: "by hand",
  });

describe("the model registry", () => {
  test("numbers the versions of a group, and uses no number twice", async () => {
    await createGroup("numbered");
    expect(await createPackage("numbered")).toBe(arn("model-package", "numbered/1"));
    const second = await createPackage("numbered");
    expect(second).toBe(arn("model-package", "numbered/2"));
    await platform.sagemaker.deleteModelPackage({ ModelPackageName: second });
    await platform.killAndRestart();
    expect(await createPackage("numbered")).toBe(arn("model-package", "numbered/3"));
  });

  test("makes one package of one request, however often it is sent; another request with its token is refused", async () => {
    await createGroup("idempotent");
    const request = { ClientToken: "run-1", ModelApprovalStatus: "Approved" as const };
    const first = await createPackage("idempotent", request);
    await platform.killAndRestart();
    expect(await createPackage("idempotent", request)).toBe(first);
    await expect(createPackage("idempotent", { ...request, ModelPackageDescription: "another" })).rejects.toMatchObject(
      {
        name: "ConflictException",
        message: expect.stringContaining("'run-1'"),
      },
    );
    const { ModelPackageSummaryList } = await platform.sagemaker.listModelPackages({
      ModelPackageGroupName: "idempotent",
    });
    expect(ModelPackageSummaryList).toHaveLength(1);
  });

  test("keeps what is said about a package: metrics, metadata, approval", async () => {
    await createGroup("described");
    const packageArn = await createPackage("described", {
      ModelMetrics: {
        ModelQuality: { Statistics: { ContentType: "application/json", S3Uri: `s3://${bucket}/evaluation.json` } },
      },
      CustomerMetadataProperties: { run: "1", note: "first" },
    });
    const described = (): Promise<unknown> => platform.sagemaker.describeModelPackage({ ModelPackageName: packageArn });
    expect(await described()).toMatchObject({
      ModelPackageGroupName: "described",
      ModelPackageVersion: 1,
      ModelPackageStatus: "Completed",
      ModelApprovalStatus: "PendingManualApproval",
      ModelMetrics: { ModelQuality: { Statistics: { S3Uri: `s3://${bucket}/evaluation.json` } } },
    });
    await approve(packageArn, "Approved");
    await platform.sagemaker.updateModelPackage({
      ModelPackageArn: packageArn,
      CustomerMetadataProperties: { run: "2" },
      CustomerMetadataPropertiesToRemove: ["note"],
    });
    expect(await described()).toMatchObject({
      ModelApprovalStatus: "Approved",
      ApprovalDescription: "by hand",
      CustomerMetadataProperties: { run: "2" },
    });
  });

  test("lets only an approved package become a model", async () => {
    await createGroup("gated");
    const packageArn = await createPackage("gated");
    const createModel = (name: string): Promise<unknown> =>
      platform.sagemaker.createModel({
        ModelName: name,
        PrimaryContainer: { ModelPackageName: packageArn },
        ExecutionRoleArn: role,
      });
    await expect(createModel("gated-1")).rejects.toMatchObject({
      name: "ValidationException",
      message: expect.stringContaining("its approval status is PendingManualApproval"),
    });
    await approve(packageArn, "Rejected");
    await expect(createModel("gated-1")).rejects.toMatchObject({ message: expect.stringContaining("Rejected") });
    await approve(packageArn, "Approved");
    await expect(createModel("gated-1")).resolves.toMatchObject({ ModelArn: arn("model", "gated-1") });
  });

  test("keeps a group that still has packages, and refuses one that does not exist", async () => {
    await createGroup("kept");
    const packageArn = await createPackage("kept");
    const remove = () => platform.sagemaker.deleteModelPackageGroup({ ModelPackageGroupName: "kept" });
    await expect(remove()).rejects.toMatchObject({ name: "ConflictException" });
    await platform.sagemaker.deleteModelPackage({ ModelPackageName: packageArn });
    await remove();
    await expect(platform.sagemaker.describeModelPackageGroup({ ModelPackageGroupName: "kept" })).rejects.toMatchObject(
      {
        name: "ValidationException",
        message: `ModelPackageGroup ${arn("model-package-group", "kept")} does not exist.`,
      },
    );
    await expect(createGroup("numbered")).rejects.toMatchObject({ message: expect.stringContaining("already exists") });
  });

  test("lists versions in their order, page by page, filtered by approval", async () => {
    await createGroup("paged");
    for (let version = 1; version <= 12; version += 1) {
      await createPackage("paged", { ModelApprovalStatus: version % 2 === 0 ? "Approved" : "PendingManualApproval" });
    }
    const versions: number[] = [];
    const pages = paginateListModelPackages(
      { client: platform.sagemaker, pageSize: 5 },
      { ModelPackageGroupName: "paged", SortBy: "Name", SortOrder: "Descending" },
    );
    for await (const { ModelPackageSummaryList } of pages) {
      versions.push(...(ModelPackageSummaryList ?? []).map(({ ModelPackageVersion }) => ModelPackageVersion ?? 0));
    }
    expect(versions).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    const { ModelPackageSummaryList: approved } = await platform.sagemaker.listModelPackages({
      ModelPackageGroupName: "paged",
      ModelApprovalStatus: "Approved",
    });
    expect(approved?.map(({ ModelPackageVersion }) => ModelPackageVersion)).toEqual([2, 4, 6, 8, 10, 12]);
    const { ModelPackageGroupSummaryList: groups } = await platform.sagemaker.listModelPackageGroups({
      NameContains: "PAGE",
    });
    expect(groups?.map(({ ModelPackageGroupName }) => ModelPackageGroupName)).toEqual(["paged"]);
    await expect(platform.sagemaker.listModelPackages({ NextToken: "none-of-ours" })).rejects.toMatchObject({
      name: "ValidationException",
      message: expect.stringContaining("Invalid pagination token"),
    });
  });
});

describe("experiments", () => {
  test("hold trials, and trials hold components", async () => {
    const { sagemaker } = platform;
    await sagemaker.createExperiment({ ExperimentName: "growth", Description: "of shells" });
    await expect(sagemaker.createExperiment({ ExperimentName: "growth" })).rejects.toMatchObject({
      name: "ValidationException",
      message: expect.stringContaining("Experiment with name (growth) already exists"),
    });
    await sagemaker.createTrial({ TrialName: "growth-1", ExperimentName: "growth" });
    await expect(
      sagemaker.createTrial({ TrialName: "lost", ExperimentName: "no-such-experiment" }),
    ).rejects.toMatchObject({ name: "ResourceNotFound" });

    await sagemaker.createTrialComponent({ TrialComponentName: "fit", Parameters: { depth: { NumberValue: 3 } } });
    await sagemaker.associateTrialComponent({ TrialComponentName: "fit", TrialName: "growth-1" });
    await sagemaker.updateTrialComponent({
      TrialComponentName: "fit",
      Parameters: { rate: { NumberValue: 0.1 } },
      ParametersToRemove: ["depth"],
      StartTime: new Date("2026-03-01T00:00:00.500Z"),
    });
    await platform.killAndRestart();
    const component = await sagemaker.describeTrialComponent({ TrialComponentName: "fit" });
    expect(component.Parameters).toEqual({ rate: { NumberValue: 0.1 } });
    expect(component.StartTime).toEqual(new Date("2026-03-01T00:00:00.500Z"));
    const { TrialSummaries } = await sagemaker.listTrials({ TrialComponentName: "fit" });
    expect(TrialSummaries?.map(({ TrialName }) => TrialName)).toEqual(["growth-1"]);

    await expect(sagemaker.deleteExperiment({ ExperimentName: "growth" })).rejects.toMatchObject({
      message: expect.stringContaining("still has 1 trial"),
    });
    await expect(sagemaker.deleteTrial({ TrialName: "growth-1" })).rejects.toMatchObject({
      message: expect.stringContaining("'fit'"),
    });
    await sagemaker.disassociateTrialComponent({ TrialComponentName: "fit", TrialName: "growth-1" });
    await sagemaker.deleteTrialComponent({ TrialComponentName: "fit" });
    await sagemaker.deleteTrial({ TrialName: "growth-1" });
    await sagemaker.deleteExperiment({ ExperimentName: "growth" });
    await expect(sagemaker.describeExperiment({ ExperimentName: "growth" })).rejects.toMatchObject({
      name: "ResourceNotFound",
      message: "Experiment 'growth' does not exist.",
    });
  });
});

describe("tags", () => {
  test("are added, replaced, listed and removed, also with their resource", async () => {
    const { sagemaker } = platform;
    await sagemaker.createModelPackageGroup({ ModelPackageGroupName: "tagged", Tags: [{ Key: "a", Value: "1" }] });
    const ResourceArn = arn("model-package-group", "tagged");
    await sagemaker.addTags({
      ResourceArn,
      Tags: [
        { Key: "a", Value: "2" },
        { Key: "b", Value: "3" },
      ],
    });
    const list = async (): Promise<unknown> => (await sagemaker.listTags({ ResourceArn })).Tags;
    expect(await list()).toEqual([
      { Key: "a", Value: "2" },
      { Key: "b", Value: "3" },
    ]);
    await sagemaker.deleteTags({ ResourceArn, TagKeys: ["a"] });
    await platform.killAndRestart();
    expect(await list()).toEqual([{ Key: "b", Value: "3" }]);
    await sagemaker.deleteModelPackageGroup({ ModelPackageGroupName: "tagged" });
    await expect(list()).rejects.toMatchObject({ name: "ResourceNotFound" });
    await createGroup("tagged");
    expect(await list()).toEqual([]);
  });

  test("are at most fifty, each key once", async () => {
    const tagged = (Tags: { Key: string; Value: string }[]): Promise<unknown> =>
      platform.sagemaker.createModelPackageGroup({ ModelPackageGroupName: "overtagged", Tags });
    await expect(
      tagged([
        { Key: "a", Value: "1" },
        { Key: "a", Value: "2" },
      ]),
    ).rejects.toMatchObject({
      name: "ValidationException",
    });
    await expect(
      tagged(Array.from({ length: 51 }, (_, index) => ({ Key: `key-${index}`, Value: "" }))),
    ).rejects.toMatchObject({ message: expect.stringContaining("50") });
    const groups = await platform.sagemaker.listModelPackageGroups({ NameContains: "overtagged" });
    expect(groups.ModelPackageGroupSummaryList).toEqual([]);
  });
});

describe("model cards of packages", () => {
  const content = (members: object): string => JSON.stringify(members);
  const card = content({
    model_overview: { model_artifact: ["s3://bucket/model.tar.gz"] },
    intended_uses: { risk_rating: "Low" },
    evaluation_details: [
      {
        name: "Held-out rows",
        metric_groups: [
          {
            name: "Errors",
            metric_data: [
              { name: "RMSE", type: "number", value: 2.05, notes: "rings" },
              { name: "Coverage by sex", type: "bar_chart", value: [0.9, 0.91], x_axis_name: ["F", "M"] },
            ],
          },
        ],
      },
    ],
  });
  const describeCard = async (packageArn: string): Promise<unknown> =>
    (await platform.sagemaker.describeModelPackage({ ModelPackageName: packageArn })).ModelCard;

  beforeAll(() => createGroup("cards"));

  test("a card is kept as it was given, and changes with its review", async () => {
    const packageArn = await createPackage("cards", {
      ModelCard: { ModelCardContent: card, ModelCardStatus: "PendingReview" },
    });
    expect(await describeCard(packageArn)).toEqual({ ModelCardContent: card, ModelCardStatus: "PendingReview" });

    const update = (ModelCard: object): Promise<unknown> =>
      platform.sagemaker.updateModelPackage({ ModelPackageArn: packageArn, ModelCard });
    await update({ ModelCardStatus: "Archived" });
    expect(await describeCard(packageArn)).toEqual({ ModelCardContent: card, ModelCardStatus: "Archived" });
    await expect(update({ ModelCardContent: "{}" })).rejects.toThrow("Model Card is in Archived state");
    await update({ ModelCardStatus: "Draft" });
    await update({ ModelCardContent: "{}" });
    expect(await describeCard(packageArn)).toEqual({ ModelCardContent: "{}", ModelCardStatus: "Draft" });
  });

  test("a package without a card has none", async () => {
    expect(await describeCard(await createPackage("cards"))).toBeUndefined();
  });

  test.each<[string, string, RegExp]>([
    ["half a document", '{"model_overview"', /ModelCardContent is not JSON/],
    ["a list", "[]", /the card: /],
    ["an unknown member", content({ licence: "MIT" }), /the card: .*licence/],
    ["another rating", content({ intended_uses: { risk_rating: "None" } }), /intended_uses\.risk_rating/],
    [
      "a text that is too long",
      content({ business_details: { line_of_business: "x".repeat(2_049) } }),
      /line_of_business/,
    ],
    ["an evaluation without a name", content({ evaluation_details: [{}] }), /evaluation_details\.0\.name/],
    [
      "a number as text",
      content({
        evaluation_details: [
          { name: "a", metric_groups: [{ name: "b", metric_data: [{ name: "c", type: "bar_chart", value: "2" }] }] },
        ],
      }),
      /metric_data\.0/,
    ],
    [
      "a detail that is not text",
      content({ additional_information: { custom_details: { rows: 5 } } }),
      /custom_details\.rows/,
    ],
  ])("%s is refused", async (_case, ModelCardContent, message) => {
    await expect(
      createPackage("cards", { ModelCard: { ModelCardContent, ModelCardStatus: "Draft" } }),
    ).rejects.toMatchObject({ name: "ValidationException", message: expect.stringMatching(message) });
  });
});
