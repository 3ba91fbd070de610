/** The whole platform on one screen. `ENVIRONMENT=production npm run synth` writes it as Terraform into `cdktf.out`. */
import { App } from "cdktf";
import { loadEnvironment } from "./environments";
import { DataStack } from "./stacks/data";
import { Platform } from "./stacks/platform";

const environment = loadEnvironment(process.env.ENVIRONMENT);
const platform = new Platform(new App({ stackTraces: false }), environment); // backend, provider, tags: once, for every stack

new DataStack(platform);

platform.synth();
