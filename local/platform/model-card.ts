import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

import { GetObjectCommand } from "@aws-sdk/client-s3";
import { DescribeModelPackageCommand } from "@aws-sdk/client-sagemaker";

import { makeClients } from "./clients";
import type { Instance } from "./instance";
import { addressOf, isHealthy } from "./services";
import { championPackage } from "./workflow";

/** The champion's model card, at hand. */
export interface ModelCardAtHand {
  /** Group and version of the package, for example `acme-local-abalone/3`. */
  readonly modelPackage: string;
  /** Whether somebody has reviewed the card: SageMaker's status of it. */
  readonly status: string;
  /** The page's file on this machine. */
  readonly path: string;
  /** The page in S3. */
  readonly uri: string;
  /** What the gate decided when the model was registered. */
  readonly gate: string;
}

/** The parts of a card that are needed to find its page: whatever else it says stands on the page. */
interface CardContent {
  readonly evaluation_details?: readonly { readonly metadata?: { readonly gate?: string } }[];
  readonly additional_information?: { readonly custom_details?: { readonly page?: string } };
}

/**
 * Takes the page of the champion's model card to this machine.
 * @throws Error in plain words when nothing runs, no model is registered, or the model has no card.
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
  const { ModelCard: card } = await clients.sagemaker.send(new DescribeModelPackageCommand({ ModelPackageName: arn }));
  const content = JSON.parse(card?.ModelCardContent ?? "{}") as CardContent;
  const uri = content.additional_information?.custom_details?.page;
  if (uri === undefined) {
    throw new Error(
      `${modelPackage} was registered without a model card; the next model that make up registers has one.`,
    );
  }
  const { hostname, pathname } = new URL(uri);
  const { Body } = await clients.s3.send(
    new GetObjectCommand({ Bucket: hostname, Key: decodeURIComponent(pathname.slice(1)) }),
  );
  const path = instance.path("model-cards", `${modelPackage.replaceAll("/", "-")}.html`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, (await Body?.transformToString()) ?? "");
  return {
    modelPackage,
    status: card?.ModelCardStatus ?? "Draft",
    path,
    uri,
    gate: content.evaluation_details?.[0]?.metadata?.gate ?? "unknown",
  };
}
