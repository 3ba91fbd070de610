import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

import { makeClients } from "./clients";
import type { Instance } from "./instance";
import { addressOf, isHealthy } from "./services";
import { championPackage } from "./workflow";

/** The champion's model card on this machine. */
export interface ModelCardAtHand {
  /** Group and version of the package, for example `acme-local-ml-workflow-abalone/3`. */
  readonly modelPackage: string;
  /** Whether the model may be used: SageMaker's approval status of the package, set by the gate. */
  readonly approval: string;
  /**
   * Whether somebody has reviewed the card: SageMaker's status of the document. The model's approval does not depend on
   * it.
   */
  readonly status: string;
  /** The page's path on this machine. */
  readonly path: string;
  /** The page in S3. */
  readonly uri: string;
  /** The gate's decision when the model was registered. */
  readonly gate: string;
}

/** The parts of a card that lead to its page; the page has all the rest. */
interface CardContent {
  readonly evaluation_details?: readonly { readonly metadata?: { readonly gate?: string } }[];
  readonly additional_information?: { readonly custom_details?: { readonly page?: string } };
}

/**
 * Names a page after the registered version: the evaluation job that wrote it knew only its training job.
 * @param modelPackage group and version, for example `acme-local-ml-workflow-abalone/3`
 */
export function nameAfterVersion(page: string, modelPackage: string): string {
  const [group = "", version = ""] = modelPackage.split("/");
  return page.replaceAll(
    /(<(?:title|h1)>Model card: )[^<]*/g,
    (_, opening: string) => `${opening}version ${version} of ${group}`,
  );
}

/** The meaning of a card's status, if its name does not say it. */
export function statusInWords(status: string): string {
  return status === "PendingReview" ? `${status}: nobody has said yet that they have read it` : status;
}

/**
 * Downloads the page of the champion's model card.
 * @throws Error when nothing runs, no model is registered, or the model has no card.
 */
export async function fetchModelCard(instance: Instance): Promise<ModelCardAtHand> {
  if (!(await isHealthy(instance, "emulator")) || !(await isHealthy(instance, "sagemaker"))) {
    throw new Error("The platform doesn't run; make up starts it.");
  }
  const clients = makeClients(addressOf(instance, "emulator"));
  const arn = await championPackage(clients);
  if (arn === undefined) {
    throw new Error("No model is registered yet; make up trains one.");
  }
  const modelPackage = arn.split(":model-package/")[1] ?? arn;
  const { ModelCard: card, ModelApprovalStatus: approval = "unknown" } = await clients.sagemaker.describeModelPackage({
    ModelPackageName: arn,
  });
  const content = JSON.parse(card?.ModelCardContent ?? "{}") as CardContent;
  const uri = content.additional_information?.custom_details?.page;
  if (uri === undefined) {
    throw new Error(
      `${modelPackage} was registered without a model card; the next model that make up registers has one.`,
    );
  }
  const { hostname, pathname } = new URL(uri);
  const { Body } = await clients.s3.getObject({ Bucket: hostname, Key: decodeURIComponent(pathname.slice(1)) });
  const path = instance.path("model-cards", `${modelPackage.replaceAll("/", "-")}.html`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, nameAfterVersion((await Body?.transformToString()) ?? "", modelPackage));
  return {
    modelPackage,
    approval,
    status: card?.ModelCardStatus ?? "Draft",
    path,
    uri,
    gate: content.evaluation_details?.[0]?.metadata?.gate ?? "unknown",
  };
}
