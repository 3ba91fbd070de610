import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, Lazy, TerraformOutput, TerraformStack } from "cdktf";
import { traceTokens } from "../../modules/token-traces";

const outdir = mkdtempSync(join(tmpdir(), "token-traces-"));
afterAll(() => {
  traceTokens(new App({ outdir, stackTraces: false }));
  rmSync(outdir, { recursive: true });
});

/** A token that nothing can resolve. */
function makeToken(): string {
  return Lazy.stringValue({
    produce: () => {
      throw new Error("there is no value");
    },
  });
}

/** What the engineer reads whose stack has such a token. */
function messageOf(stackTraces: boolean): string {
  const app = new App({ outdir, stackTraces });
  traceTokens(app);
  new TerraformOutput(new TerraformStack(app, "stack"), "output", { value: makeToken() });
  try {
    app.synth();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("The token was resolved.");
}

test("an App without stack traces has none of its tokens", () => {
  expect(messageOf(false)).toContain("Resolution error: there is no value");
  expect(messageOf(false)).not.toContain("Object creation stack");
});

test("an App with stack traces shows where a token was made, also after one without", () => {
  messageOf(false);
  expect(messageOf(true)).toMatch(/Object creation stack:[\s\S]*makeToken[\s\S]*token-traces\.test\.ts/);
});
