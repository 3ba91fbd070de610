import { createHash } from "node:crypto";
import type * as control from "@aws-sdk/client-sagemaker";
import type {
  CreateModelPackageInput,
  DescribeModelPackageGroupOutput,
  DescribeModelPackageOutput,
} from "@aws-sdk/client-sagemaker";
import { conflictException, validationException } from "../protocol/errors";
import type { OperationTable, Validated } from "../protocol/operations";
import { toWire } from "../protocol/http";
import type { Arns } from "../resources/arns";
import { listPage } from "../resources/listing";
import type { ResourceStore } from "../resources/store";
import type { TagRegistry } from "../resources/tags";
import { checkModelCard } from "./model-card";

/** A group of model versions, with the number of the last version, which is never given twice. */
interface StoredGroup {
  readonly group: Validated<DescribeModelPackageGroupOutput>;
  readonly lastVersion: number;
}

/** A model package as DescribeModelPackage answers it. */
export type ModelPackage = Validated<DescribeModelPackageOutput>;

interface StoredPackage {
  readonly modelPackage: ModelPackage;
  /** The request's token and what it asked for, so that the same request makes one package. */
  readonly clientToken?: string | undefined;
  readonly requestHash: string;
}

/** The stores of the model registry. */
export interface RegistryStores {
  readonly groups: ResourceStore<StoredGroup>;
  readonly packages: ResourceStore<StoredPackage>;
}

/** The model registry: groups of model packages, their versions and whether these are approved. */
export class ModelRegistry {
  constructor(
    private readonly stores: RegistryStores,
    private readonly arns: Arns,
    private readonly tags: TagRegistry,
  ) {
    tags.register("model-package-group", (name) => stores.groups.has(name));
    tags.register("model-package", (name) => stores.packages.has(name));
  }

  /**
   * The package of this name or ARN, if it may be deployed.
   *
   * @throws ServiceError when it does not exist or is not approved
   */
  deployable(nameOrArn: string): ModelPackage {
    const { modelPackage } = this.package(nameOrArn);
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
    CreateModelPackageGroup: ({ ModelPackageGroupName: name, ModelPackageGroupDescription, Tags }) => {
      const arn = this.arns.of("model-package-group", name);
      if (this.stores.groups.has(name)) {
        throw validationException(`Model Package Group already exists: ${arn}`);
      }
      this.tags.create(arn, Tags);
      const group = {
        ModelPackageGroupName: name,
        ModelPackageGroupArn: arn,
        ModelPackageGroupDescription,
        CreationTime: new Date(),
        CreatedBy: {},
        ModelPackageGroupStatus: "Completed" as const,
      };
      this.stores.groups.put(name, { group, lastVersion: 0 });
      return { ModelPackageGroupArn: arn };
    },
    DescribeModelPackageGroup: ({ ModelPackageGroupName }) => this.group(ModelPackageGroupName).group,
    DeleteModelPackageGroup: ({ ModelPackageGroupName }) => {
      const { group } = this.group(ModelPackageGroupName);
      const name = group.ModelPackageGroupName;
      const versions = this.versionsOf(name);
      if (versions.length > 0) {
        throw conflictException(
          `Model Package Group "${group.ModelPackageGroupArn}" can't be deleted: it still has ${versions.length} model package(s). ` +
            "Delete them first.",
        );
      }
      this.stores.groups.delete(name);
      this.tags.remove(group.ModelPackageGroupArn);
      return {};
    },
    ListModelPackageGroups: (request) => {
      const page = listPage(
        this.stores.groups.values().map(({ group }) => group),
        request,
        (group) => ({ name: group.ModelPackageGroupName, created: group.CreationTime }),
        "Ascending",
      );
      return {
        ModelPackageGroupSummaryList: page.items.map((group) => ({
          ModelPackageGroupName: group.ModelPackageGroupName,
          ModelPackageGroupArn: group.ModelPackageGroupArn,
          ModelPackageGroupDescription: group.ModelPackageGroupDescription,
          CreationTime: group.CreationTime,
          ModelPackageGroupStatus: group.ModelPackageGroupStatus,
        })),
        NextToken: page.nextToken,
      };
    },

    CreateModelPackage: (request) => {
      const { ClientToken, ModelPackageGroupName, ModelPackageName, Tags, ...described } = request;
      const requestHash = hashOf(request);
      const repeated =
        ClientToken === undefined
          ? undefined
          : this.stores.packages.values().find(({ clientToken }) => clientToken === ClientToken);
      if (repeated !== undefined) {
        if (repeated.requestHash !== requestHash) {
          throw conflictException(`ClientToken '${ClientToken ?? ""}' was already used for another model package.`);
        }
        return { ModelPackageArn: repeated.modelPackage.ModelPackageArn };
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
      this.tags.check(Tags);
      checkModelCard(described.ModelCard?.ModelCardContent);
      const identity =
        ModelPackageGroupName === undefined
          ? this.newUnversioned(ModelPackageName ?? "")
          : this.newVersion(ModelPackageGroupName);
      const modelPackage: ModelPackage = {
        ...described,
        ...identity.members,
        ModelPackageArn: identity.arn,
        ModelPackageStatus: "Completed",
        ModelPackageStatusDetails: { ValidationStatuses: [], ImageScanStatuses: [] },
        CreationTime: new Date(),
        ...(ModelPackageGroupName !== undefined && {
          ModelApprovalStatus: request.ModelApprovalStatus ?? "PendingManualApproval",
        }),
      };
      this.stores.packages.put(identity.key, { modelPackage, clientToken: ClientToken, requestHash });
      this.tags.create(identity.arn, Tags);
      return { ModelPackageArn: identity.arn };
    },
    DescribeModelPackage: ({ ModelPackageName }) => this.package(ModelPackageName).modelPackage,
    UpdateModelPackage: (request) => {
      const { ModelPackageArn, CustomerMetadataProperties, CustomerMetadataPropertiesToRemove } = request;
      const stored = this.package(ModelPackageArn);
      const current = stored.modelPackage;
      const card = request.ModelCard;
      checkModelCard(card?.ModelCardContent);
      if (current.ModelCard?.ModelCardStatus === "Archived" && card?.ModelCardContent !== undefined) {
        throw validationException("Model Card is in Archived state.");
      }
      const kept = Object.entries({ ...current.CustomerMetadataProperties, ...CustomerMetadataProperties }).filter(
        ([key]) => CustomerMetadataPropertiesToRemove?.includes(key) !== true,
      );
      const added = request.AdditionalInferenceSpecificationsToAdd;
      const modelPackage: ModelPackage = {
        ...current,
        ModelApprovalStatus: request.ModelApprovalStatus ?? current.ModelApprovalStatus,
        ApprovalDescription: request.ApprovalDescription ?? current.ApprovalDescription,
        InferenceSpecification: request.InferenceSpecification ?? current.InferenceSpecification,
        ...(card && { ModelCard: { ...current.ModelCard, ...card } }),
        SourceUri: request.SourceUri ?? current.SourceUri,
        ModelLifeCycle: request.ModelLifeCycle ?? current.ModelLifeCycle,
        ...(kept.length > 0 && { CustomerMetadataProperties: Object.fromEntries(kept) }),
        ...(added && {
          AdditionalInferenceSpecifications: [...(current.AdditionalInferenceSpecifications ?? []), ...added],
        }),
        LastModifiedTime: new Date(),
      };
      if (kept.length === 0) {
        delete modelPackage.CustomerMetadataProperties;
      }
      this.stores.packages.put(this.keyOf(ModelPackageArn), { ...stored, modelPackage });
      return { ModelPackageArn: current.ModelPackageArn };
    },
    DeleteModelPackage: ({ ModelPackageName }) => {
      const { modelPackage } = this.package(ModelPackageName);
      this.stores.packages.delete(this.keyOf(ModelPackageName));
      this.tags.remove(modelPackage.ModelPackageArn);
      return {};
    },
    ListModelPackages: (request) => {
      const groupName = request.ModelPackageGroupName;
      const group = groupName === undefined ? undefined : this.group(groupName).group.ModelPackageGroupName;
      const type = request.ModelPackageType ?? (group === undefined ? "Unversioned" : "Versioned");
      const packages = this.stores.packages
        .values()
        .map(({ modelPackage }) => modelPackage)
        .filter((each) => group === undefined || each.ModelPackageGroupName === group)
        .filter((each) => type === "Both" || (each.ModelPackageGroupName !== undefined) === (type === "Versioned"))
        .filter(
          (each) =>
            request.ModelApprovalStatus === undefined || each.ModelApprovalStatus === request.ModelApprovalStatus,
        );
      const page = listPage(
        packages,
        request,
        (each) => ({ name: sortableName(each), created: each.CreationTime }),
        "Ascending",
      );
      return {
        ModelPackageSummaryList: page.items.map((each) => ({
          ModelPackageName: each.ModelPackageName,
          ModelPackageGroupName: each.ModelPackageGroupName,
          ModelPackageVersion: each.ModelPackageVersion,
          ModelPackageArn: each.ModelPackageArn,
          ModelPackageDescription: each.ModelPackageDescription,
          CreationTime: each.CreationTime,
          ModelPackageStatus: each.ModelPackageStatus,
          ModelApprovalStatus: each.ModelApprovalStatus,
        })),
        NextToken: page.nextToken,
      };
    },
  };

  private newVersion(groupNameOrArn: string): NewPackage {
    const { group, lastVersion } = this.group(groupNameOrArn);
    const name = group.ModelPackageGroupName;
    const version = lastVersion + 1;
    this.stores.groups.put(name, { group, lastVersion: version });
    const key = `${name}/${version}`;
    return {
      key,
      arn: this.arns.of("model-package", key),
      members: { ModelPackageName: key, ModelPackageGroupName: name, ModelPackageVersion: version },
    };
  }

  private newUnversioned(name: string): NewPackage {
    const arn = this.arns.of("model-package", name);
    if (this.stores.packages.has(name)) {
      throw validationException(`Cannot create already existing model package "${arn}".`);
    }
    return { key: name, arn, members: { ModelPackageName: name } };
  }

  private versionsOf(group: string): ModelPackage[] {
    return this.stores.packages
      .values()
      .map(({ modelPackage }) => modelPackage)
      .filter(({ ModelPackageGroupName }) => ModelPackageGroupName === group);
  }

  private group(nameOrArn: string): StoredGroup {
    const name = this.arns.nameIn("model-package-group", nameOrArn);
    const group = this.stores.groups.get(name);
    if (group === undefined) {
      throw validationException(`ModelPackageGroup ${this.arns.of("model-package-group", name)} does not exist.`);
    }
    return group;
  }

  private package(nameOrArn: string): StoredPackage {
    const key = this.keyOf(nameOrArn);
    const stored = this.stores.packages.get(key);
    if (stored === undefined) {
      throw validationException(`ModelPackage ${this.arns.of("model-package", key)} does not exist.`);
    }
    return stored;
  }

  private keyOf(nameOrArn: string): string {
    return this.arns.nameIn("model-package", nameOrArn);
  }
}

interface NewPackage {
  readonly key: string;
  readonly arn: string;
  readonly members: Pick<ModelPackage, "ModelPackageName" | "ModelPackageGroupName" | "ModelPackageVersion">;
}

/** Version 10 comes after version 9. */
function sortableName(modelPackage: ModelPackage): string {
  const version = modelPackage.ModelPackageVersion;
  return version === undefined
    ? modelPackage.ModelPackageName
    : `${modelPackage.ModelPackageGroupName ?? ""}/${String(version).padStart(9, "0")}`;
}

function hashOf(request: Validated<CreateModelPackageInput>): string {
  const sorted = Object.entries(request).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(toWire(sorted)).digest("hex");
}
