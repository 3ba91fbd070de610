/** The whole platform on one screen. `ENVIRONMENT=production npm run synth` writes it as Terraform into `cdktf.out`. */
import { App } from "cdktf";
import { loadEnvironment } from "./environments";
import { DataStack } from "./stacks/data";
import { MlWorkflowStack } from "./stacks/ml-workflow";
import { ModelImageStack } from "./stacks/model-image";
import { NetworkStack } from "./stacks/network";
import { Platform } from "./stacks/platform";
import { WebsiteStack } from "./stacks/website";

// What somebody can correct is said in a sentence; only a fault of the program itself needs a stack.
process.on("uncaughtException", (error) => {
  console.error(error.constructor === Error ? error.message : error.stack);
  process.exit(1);
});

const environment = loadEnvironment(process.env.ENVIRONMENT);
const platform = new Platform(new App({ stackTraces: false }), environment); // backend, provider, tags: once, for every stack

new NetworkStack(platform);
new DataStack(platform);
new ModelImageStack(platform);
new MlWorkflowStack(platform);
new WebsiteStack(platform, "test");
new WebsiteStack(platform, "production");

platform.synth();
