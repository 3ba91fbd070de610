/**
 * Sends requests about simulated animals to the production website, like visitors, so that the endpoint's monitor has
 * traffic:
 *
 *     make traffic [ROWS=300 SEED=7 SHIFT=0.2]
 *
 * SHIFT makes the animals longer or shorter by this share; without it they are like the simulated survey's. Exit status
 * 1 if there is no platform, a number is wrong, or an answer is not 200.
 */
import { runCommand } from "../command";
import { camelCase, features } from "../survey/feature-contract";
import { simulate } from "../survey/simulator";
import { describeShift, readOptions, requirePlatform } from "./data-workflow/arriving-survey";
import { openInstance, readJson, shown } from "./platform/instance";
import type { PlatformFile } from "./platform/up";

const askedAtOnce = 8;

runCommand(async ({ ROWS, SEED, SHIFT }) => {
  const options = readOptions({ ROWS, SEED, SHIFT }, { rows: 300, seed: 7 });
  const instance = openInstance();
  await requirePlatform(instance);
  const { api } = readJson<Partial<PlatformFile>>(instance.path("platform.json"), {});
  if (api === undefined) {
    throw new Error(
      `The platform in ${shown(instance.directory)} has no website yet: run \`make up\`, which continues where it ended.`,
    );
  }
  const animals = simulate(options);
  let asked = 0;
  const ask = async (): Promise<void> => {
    for (let next = animals.next(); next.done !== true; next = animals.next()) {
      const { value } = next;
      const response = await fetch(`${api}/predict`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(Object.fromEntries(features.map(({ name }) => [camelCase(name), value[name]]))),
      });
      const answer = await response.text();
      if (response.status !== 200) {
        throw new Error(`The website answered ${response.status}: ${answer}`);
      }
      asked += 1;
    }
  };
  await Promise.all(Array.from({ length: askedAtOnce }, ask));
  const animal = options.shift === 0 ? "as surveyed" : describeShift(options.shift);
  process.stdout.write(
    `The website told the age of ${asked} animals, ${animal}. What the monitor makes of it: docs/monitoring.md\n`,
  );
});
