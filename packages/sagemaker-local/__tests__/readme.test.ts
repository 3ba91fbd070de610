import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { help } from "../src/settings";
import { account, Platform, python, region } from "./support/service";

const run = promisify(execFile);
const text = readFileSync(resolve(__dirname, "../README.md"), "utf8");

/** The first block of code of a language. */
function codeBlock(language: string): string {
  const [, code] = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "m").exec(text) ?? [];
  return code ?? "";
}

test("README's example trains, registers and serves with boto3, unchanged", async () => {
  const platform = await Platform.start({ MODEL_IMAGE_REPOSITORY: "my-image" });
  try {
    const { stdout } = await run(python, ["-c", codeBlock("python")], {
      env: {
        PATH: "/usr/bin:/bin",
        AWS_ENDPOINT_URL: platform.emulator.endpoint,
        AWS_ENDPOINT_URL_SAGEMAKER: platform.service.url,
        AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: platform.service.url,
        AWS_DEFAULT_REGION: region,
        AWS_ACCESS_KEY_ID: account,
        AWS_SECRET_ACCESS_KEY: "test",
      },
    });
    // The image multiplies by the model's factor.
    expect(stdout).toMatch(/^63\.0 /);
  } finally {
    await platform.stop();
  }
}, 300_000);

test("README's table of operations is the code's; if not: npm run readme -w sagemaker-local", async () => {
  const script = resolve(__dirname, "support/readme.ts");
  const { stdout } = await run(process.execPath, ["--import", "tsx", script, "--print"]);
  expect(stdout).toBe(text);
}, 120_000);

test("README's command is one that --help knows", () => {
  const flags = codeBlock("sh").match(/--[a-z-]+/g) ?? [];
  expect(flags).toContain("--image-directory");
  for (const flag of flags) {
    expect(help()).toContain(`${flag} <`);
  }
});
