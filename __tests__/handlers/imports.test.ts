import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(__dirname, "../..");

interface Pattern {
  readonly regex: string;
  readonly message: string;
}

/** Why ESLint refuses that a file imports something; undefined where it doesn't. */
function refusals(file: string): (path: string) => string | undefined {
  const printed = spawnSync(
    process.execPath,
    [join(root, "node_modules/eslint/bin/eslint.js"), "--print-config", file],
    { cwd: root, encoding: "utf8" },
  );
  const { rules } = JSON.parse(printed.stdout) as {
    rules: Record<string, [number, { patterns: Pattern[] }]>;
  };
  const [severity, { patterns }] = rules["@typescript-eslint/no-restricted-imports"]!;
  expect(severity).toBe(2);
  return (path) => patterns.find(({ regex }) => new RegExp(regex, "u").test(path))?.message;
}

test("functions import the website's limits for messages, and nothing else of it", () => {
  const refusal = refusals("handlers/contact/index.ts");
  expect(refusal("../../web/contact-limits")).toBeUndefined();
  for (const path of ["../../web/build", "../../web/src/form", "../../web/contact-limits-of-old", "../../web"]) {
    expect(refusal(path)).toContain("handlers/ must not import web/ ");
  }
  expect(refusal("../../survey/feature-contract")).toBeUndefined();
});

test("the website imports nothing of the functions behind its API", () => {
  const refusal = refusals("web/src/form.ts");
  expect(refusal("../../handlers/contact")).toContain("web/ must not import handlers/ ");
  expect(refusal("../../survey/feature-contract")).toBeUndefined();
  expect(refusal("./http")).toBeUndefined();
});

test.each(["stacks/website.ts", "modules/contact-mail.ts"])(
  "%s knows a handler's declaration, and not its code",
  (file) => {
    const refusal = refusals(file);
    expect(refusal("../handlers/mail-contact/declaration")).toBeUndefined();
    expect(refusal("../handlers/shared/declaration")).toBeUndefined();
    for (const path of ["../handlers/mail-contact", "../handlers/mail-contact/index", "../handlers/shared/http"]) {
      expect(refusal(path)).toContain("must not import handlers/ ");
    }
  },
);

test("a declaration brings nothing of the handler into a stack", () => {
  const refusal = refusals("handlers/contact/declaration.ts");
  for (const path of ["../shared/declaration", "../shared/environment", "../../survey/zod"]) {
    expect(refusal(path)).toBeUndefined();
  }
  for (const path of ["./index", "./visitor", "../shared/http", "@aws-sdk/client-s3", "../../stacks/contract"]) {
    expect(refusal(path)).toContain("A declaration imports only checks of variables");
  }
});
