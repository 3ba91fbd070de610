/**
 * The steps of a release, generated from the contract between the stacks: a new stack or a new reader gets its place in
 * the pipeline without another change.
 *
 *     releaseSteps(["network", "data", …], { approval: true }).map(({ name }) => name);
 *     // deploy-pipeline, deploy-network, deploy-data, …, train, deploy-website-test, system-test-test, review, approve, deploy-website-production, …
 */
import type { WebsiteStage } from "../environments";
import { type BuildCommands } from "../modules/pipeline/build-spec";
import { type Contract, contract, deploymentOrder, type StackId } from "./contract";

/** The stacks that no release deploys, with the reason. */
export const deployedByHand = {
  state:
    "Every deployment needs it, so an engineer creates it first; and a mistake in it could destroy every stack's state.",
  governance:
    "What watches the pipeline must be out of its reach: no push can stop the trail or change the permissions boundaries.",
} as const satisfies Partial<Record<StackId, string>>;

/** One step of a release. */
export type ReleaseStep =
  /** Terraform applies a stack. */
  | { readonly kind: "deploy"; readonly name: string; readonly stack: StackId }
  /** The ML workflow runs to its end. */
  | { readonly kind: "train"; readonly name: string }
  /** The system tests run against a stage of the website. */
  | { readonly kind: "system-test"; readonly name: string; readonly stage: WebsiteStage }
  /** Prepares what an approver reads: the plan of a stack, and the model that it would serve. */
  | { readonly kind: "review"; readonly name: string; readonly stack: StackId }
  /** A person approves. */
  | { readonly kind: "approve"; readonly name: string };

const stages: Partial<Record<StackId, WebsiteStage>> = {
  "website-test": "test",
  "website-production": "production",
};

/**
 * The steps of a release, in order: the pipeline updates itself first, then each stack follows those it reads from.
 * Training starts right after the workflow is deployed, and each website is tested right after it is deployed.
 * @param stacks the stacks that the environment has
 * @param options whether somebody has to approve before the website's stage `production`
 * @param table the contract. @default the platform's
 */
export function releaseSteps(
  stacks: readonly StackId[],
  { approval }: { readonly approval: boolean },
  table: Contract = contract,
): readonly ReleaseStep[] {
  const order = deploymentOrder(table).filter(
    (stack): stack is StackId => stacks.some((id) => id === stack) && !Object.hasOwn(deployedByHand, stack),
  );
  const deploy = (stack: StackId): ReleaseStep => ({ kind: "deploy", name: `deploy-${stack}`, stack });
  return [
    ...order.filter((stack) => stack === "pipeline").map(deploy),
    ...order
      .filter((stack) => stack !== "pipeline")
      .flatMap((stack): readonly ReleaseStep[] => {
        const stage = stages[stack];
        return [
          ...(stage === "production" && approval
            ? [{ kind: "review", name: "review", stack } as const, { kind: "approve", name: "approve" } as const]
            : []),
          deploy(stack),
          ...(stack === table.StateMachine?.publisher ? [{ kind: "train", name: "train" } as const] : []),
          ...(stage ? [{ kind: "system-test", name: `system-test-${stage}`, stage } as const] : []),
        ];
      }),
  ];
}

/** The test commands that must pass before anything is deployed. */
export const testCommands: BuildCommands = { install: ["make install-terraform"], build: ["make test"] };

/** The commands of a step; undefined for a step that runs none. */
export function commandsOf(step: ReleaseStep, environment: string): BuildCommands | undefined {
  switch (step.kind) {
    case "deploy":
      return {
        install: ["make install-terraform"],
        build: [`make deploy ENVIRONMENT=${environment} STACK=${step.stack} LOCK_TIMEOUT=600`],
      };
    case "system-test":
      return { build: [`make system-test ENVIRONMENT=${environment} STAGE=${step.stage}`] };
    case "review":
      return {
        install: ["make install-terraform"],
        build: [
          `make diff ENVIRONMENT=${environment} STACK=${step.stack} FORMAT=markdown OUTPUT=plan.md`,
          `make review ENVIRONMENT=${environment} PLAN=plan.md RELEASE="$RELEASE" > review.env`,
          ". ./review.env",
        ],
        exports: ["REVIEW_URL", "MODEL_URL", "MODEL_SUMMARY"],
      };
    case "train":
    case "approve":
      return undefined;
  }
}
