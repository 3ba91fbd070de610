import { checks } from "./checks";
import { awaitWarmUp, deploymentFrom } from "./deployment";

const deployment = deploymentFrom(process.env);

describe(`the stage at ${deployment.website}`, () => {
  beforeAll(() => awaitWarmUp(deployment));

  test.each(checks)("$name", async (check) => {
    await check.run(deployment);
  });
});
