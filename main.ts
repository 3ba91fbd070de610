/** The whole platform on one screen. `ENVIRONMENT=production npm run synth` writes it as Terraform into `cdktf.out`. */
import { App } from "cdktf";
import { runCommand } from "./command";
import { type Environment, loadEnvironment } from "./environments";
import { DataStack } from "./stacks/data";
import { DataWorkflowStack } from "./stacks/data-workflow";
import { GovernanceStack } from "./stacks/governance";
import { MlWorkflowStack } from "./stacks/ml-workflow";
import { ModelImageStack } from "./stacks/model-image";
import { NetworkStack } from "./stacks/network";
import { PipelineStack } from "./stacks/pipeline";
import { keepsOwnState, Platform } from "./stacks/platform";
import { StateStack } from "./stacks/state";
import { WebsiteStack } from "./stacks/website";

/**
 * The stacks of an environment; a stack without settings is left out. stacks/contract.ts gives the order of deployment.
 * The pipeline is made last because it deploys the stacks that exist when it is made.
 */
export function definePlatform(app: App, environment: Environment): Platform {
  const platform = new Platform(app, environment); // backend, provider, tags, policies: once, for every stack

  if (keepsOwnState(environment)) {
    new StateStack(platform);
  }
  if (environment.governance) {
    new GovernanceStack(platform, environment.governance);
  }
  if (environment.network) {
    new NetworkStack(platform, environment.network);
  }
  new DataStack(platform);
  new ModelImageStack(platform);
  new MlWorkflowStack(platform);
  new WebsiteStack(platform, "test");
  new WebsiteStack(platform, "production");
  // A laptop runs its own Airflow.
  if (environment.airflow ?? environment.emulated) {
    new DataWorkflowStack(platform);
  }
  if (environment.pipeline) {
    new PipelineStack(platform, environment.pipeline);
  }

  return platform;
}

if (require.main === module) {
  runCommand((variables) => {
    // Token stack traces help debugging but cost a fifth of synth CPU, so they are opt-in.
    const stackTraces = variables.STACK_TRACES === "yes";
    definePlatform(new App({ stackTraces }), loadEnvironment(variables.ENVIRONMENT)).synth();
  });
}
