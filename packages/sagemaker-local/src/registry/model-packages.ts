import { createHash } from "node:crypto";
import type * as control from "@aws-sdk/client-sagemaker";
import { conflictException, validationException } from "../protocol/errors";
import type { OperationTable, Validated } from "../protocol/operations";
import { toWire } from "../protocol/http";
import { type ResourceContext, Resources } from "../resources/resources";
import { checkModelCard } from "./model-card";

/** A group of model versions, with the number of its last version: no number is used twice. */
type Group = Validated<control.DescribeModelPackageGroupOutput> & { readonly lastVersion: number };

/** A model package as DescribeModelPackage answers it. */
export type ModelPackage = Validated<control.DescribeModelPackageOutput> & {
  /** The request's token and content, so that a repeated request makes only one package. */
  readonly clientToken?: string | undefined;
  readonly requestHash: string;
};

/** The model registry: groups of model packages, their versions and whether these are approved. */
export class ModelRegistry {
  private readonly groups: Resources<"ModelPackageGroup", Group>;
  private readonly packages: Resources<"ModelPackage", ModelPackage>;

  constructor(context: ResourceContext) {
    this.groups = new Resources(context, {
      prefix: "ModelPackageGroup",
      type: "model-package-group",
      folder: "model-package-groups",
      members: ["lastVersion"],
      order: "Ascending",
      missing: (_, arn) => validationException(`ModelPackageGroup ${arn} does not exist.`),
      taken: (_, arn) => validationException(`Model Package Group already exists: ${arn}`),
    });
    this.packages = new Resources(context, {
      prefix: "ModelPackage",
      type: "model-package",
      folder: "model-packages",
      members: ["ModelPackageArn", "requestHash"],
      order: "Ascending",
      missing: (_, arn) => validationException(`ModelPackage ${arn} does not exist.`),
      taken: (_, arn) => validationException(`Cannot create already existing model package "${arn}".`),
    });
  }

  /**
   * The package of this name or ARN, if it may be deployed.
   * @throws ServiceError when it does not exist or is not approved
   */
  deployable(nameOrArn: string): ModelPackage {
    const modelPackage = this.packages.existing(nameOrArn);
    const approval = modelPackage.ModelApprovalStatus;
    if (approval === "PendingManualApproval" || approval === "Rejected") {
      throw validationException(
        `Model package "${modelPackage.ModelPackageArn}" can't be deployed: its approval status is ${approval}. ` +
          "Only a package that is Approved can (UpdateModelPackage).",
      );
    }
    return modelPackage;
  }

  readonly operations: OperationTable<typeof control> = {
    CreateModelPackageGroup: (request) =>
      this.groups.create(request, { CreatedBy: {}, ModelPackageGroupStatus: "Completed", lastVersion: 0 }),
    DescribeModelPackageGroup: ({ ModelPackageGroupName }) => this.groups.existing(ModelPackageGroupName),
    DeleteModelPackageGroup: ({ ModelPackageGroupName }) => {
      const group = this.groups.existing(ModelPackageGroupName);
      const name = group.ModelPackageGroupName;
      const versions = this.packages.all().filter((each) => each.ModelPackageGroupName === name);
      if (versions.length > 0) {
        throw conflictException(
          `Model Package Group "${group.ModelPackageGroupArn}" can't be deleted: it still has ${versions.length} model package(s). ` +
            "Delete them first.",
        );
      }
      return this.groups.remove(name);
    },
    ListModelPackageGroups: (request) => this.groups.list(request, "ModelPackageGroupSummaryList"),

    CreateModelPackage: (request) => {
      const { ClientToken, ModelPackageGroupName, ModelPackageName, ...described } = request;
      const requestHash = hashOf(request);
      const repeated =
        ClientToken === undefined ? undefined : this.packages.all().find((each) => each.clientToken === ClientToken);
      if (repeated !== undefined) {
        if (repeated.requestHash !== requestHash) {
          throw conflictException(`ClientToken '${ClientToken ?? ""}' was already used for another model package.`);
        }
        return repeated;
      }
      if ((ModelPackageGroupName === undefined) === (ModelPackageName === undefined)) {
        throw validationException(
          "Give either ModelPackageGroupName, for a new version in a group, or ModelPackageName, for a package without versions.",
        );
      }
      if (described.InferenceSpecification === undefined && described.SourceAlgorithmSpecification === undefined) {
        throw validationException(
          "InferenceSpecification or SourceAlgorithmSpecification is required to create a model package.",
        );
      }
      checkModelCard(described.ModelCard?.ModelCardContent);
      const own = {
        ModelPackageStatus: "Completed" as const,
        ModelPackageStatusDetails: { ValidationStatuses: [], ImageScanStatuses: [] },
        clientToken: ClientToken,
        requestHash,
      };
      if (ModelPackageGroupName === undefined) {
        return this.packages.create({ ...described, ModelPackageName: ModelPackageName ?? "" }, own);
      }
      const group = this.groups.existing(ModelPackageGroupName);
      const name = group.ModelPackageGroupName;
      const version = group.lastVersion + 1;
      this.packages.checkNew(`${name}/${version}`, request.Tags);
      this.groups.change(group, { lastVersion: version });
      return this.packages.create(
        { ...described, ModelPackageName: `${name}/${version}` },
        {
          ...own,
          ModelPackageGroupName: name,
          ModelPackageVersion: version,
          ModelApprovalStatus: request.ModelApprovalStatus ?? "PendingManualApproval",
        },
      );
    },
    DescribeModelPackage: ({ ModelPackageName }) => this.packages.existing(ModelPackageName),
    UpdateModelPackage: (request) => {
      const { ModelPackageArn, CustomerMetadataProperties, CustomerMetadataPropertiesToRemove } = request;
      const current = this.packages.existing(ModelPackageArn);
      const card = request.ModelCard;
      checkModelCard(card?.ModelCardContent);
      if (current.ModelCard?.ModelCardStatus === "Archived" && card?.ModelCardContent !== undefined) {
        throw validationException("Model Card is in Archived state.");
      }
      const kept = Object.entries({ ...current.CustomerMetadataProperties, ...CustomerMetadataProperties }).filter(
        ([key]) => CustomerMetadataPropertiesToRemove?.includes(key) !== true,
      );
      const added = request.AdditionalInferenceSpecificationsToAdd;
      return this.packages.change(current, {
        ModelApprovalStatus: request.ModelApprovalStatus ?? current.ModelApprovalStatus,
        ApprovalDescription: request.ApprovalDescription ?? current.ApprovalDescription,
        InferenceSpecification: request.InferenceSpecification ?? current.InferenceSpecification,
        ModelCard: card === undefined ? current.ModelCard : { ...current.ModelCard, ...card },
        SourceUri: request.SourceUri ?? current.SourceUri,
        ModelLifeCycle: request.ModelLifeCycle ?? current.ModelLifeCycle,
        CustomerMetadataProperties: kept.length === 0 ? undefined : Object.fromEntries(kept),
        AdditionalInferenceSpecifications:
          added === undefined
            ? current.AdditionalInferenceSpecifications
            : [...(current.AdditionalInferenceSpecifications ?? []), ...added],
      });
    },
    DeleteModelPackage: ({ ModelPackageName }) => this.packages.remove(ModelPackageName),
    ListModelPackages: (request) => {
      const { ModelPackageGroupName: groupName, ModelApprovalStatus: approval } = request;
      const group = groupName === undefined ? undefined : this.groups.existing(groupName).ModelPackageGroupName;
      const type = request.ModelPackageType ?? (group === undefined ? "Unversioned" : "Versioned");
      return this.packages.list(request, "ModelPackageSummaryList", {
        where: (each) =>
          (group === undefined || each.ModelPackageGroupName === group) &&
          (type === "Both" || (each.ModelPackageGroupName !== undefined) === (type === "Versioned")) &&
          (approval === undefined || each.ModelApprovalStatus === approval),
        sortableName,
      });
    },
  };
}

/** Version 10 comes after version 9. */
function sortableName(modelPackage: ModelPackage): string {
  const version = modelPackage.ModelPackageVersion;
  return version === undefined
    ? modelPackage.ModelPackageName
    : `${modelPackage.ModelPackageGroupName ?? ""}/${String(version).padStart(9, "0")}`;
}

function hashOf(request: Validated<control.CreateModelPackageInput>): string {
  const sorted = Object.entries(request).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(toWire(sorted)).digest("hex");
}
