import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { declarationOf, handlerDeclarations, handlerNames, handlerSections } from "../../docs/handlers";
import { withSection } from "../../docs/section";
import { environmentNames } from "../../environments";
import { functionErrors } from "../../modules/alarm";
import { projectRoot } from "../../modules/project-root";
import { TypeScriptFunction } from "../../modules/typescript-function";
import { type House, lacking } from "../support/handlers";
import { synthesize, synthesizePlatform, type Template } from "../support/synthesize";

const read = (document: string): string => readFileSync(join(projectRoot, document), "utf8");

test("no handler is incomplete", () => {
  const house: House = {
    handlers: join(projectRoot, "handlers"),
    tests: __dirname,
    templates: environmentNames.flatMap((name) => Object.values(synthesizePlatform(name))),
    read,
  };
  const reports = handlerNames().flatMap((name) => {
    const lacks = lacking(name, house);
    return lacks.length === 0 ? [] : [`handlers/${name} is not complete:\n- ${lacks.join("\n- ")}`];
  });
  expect(reports.join("\n\n")).toBe("");
});

describe("a new handler", () => {
  let root: string;
  let house: House;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "house-"));
    mkdirSync(join(root, "handlers/hello"), { recursive: true });
    mkdirSync(join(root, "tests"));
    write("handlers/hello/index.ts", "export const handler = async () => process.env.GREETING;");
    house = { handlers: join(root, "handlers"), tests: join(root, "tests"), templates: [], read };
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  function write(path: string, content: string): void {
    writeFileSync(join(root, path), content);
  }

  function declare(more = ""): void {
    write(
      "handlers/hello/declaration.ts",
      `import { name } from ${JSON.stringify(join(projectRoot, "handlers/shared/environment"))};
       export const declaration = {
         name: "hello", purpose: "Greets", owners: ["front-end"], variables: { GREETING: name },
         failure: { means: "Nobody is greeted.", look: "The log.", do: "Greet." }, ${more}
       };`,
    );
  }

  /** A stack that deploys it. */
  function deploy(environment: Readonly<Record<string, string>>, { alarm = true } = {}): Template {
    return synthesize((stack) => {
      const hello = new TypeScriptFunction(stack, "hello", {
        name: "acme-local-hello",
        handler: declarationOf("hello", house.handlers)!,
        entry: join(house.handlers, "hello/index.ts"),
        environment,
        logRetentionDays: 7,
        encryptionKeyArn: "arn:key",
      });
      if (alarm) {
        functionErrors(stack, "hello-errors", { function: hello, topicArn: "arn:topic" });
      }
    });
  }

  /** The documents as `make format` would write them. */
  function format(document: string): string {
    return handlerSections(handlerDeclarations(house.handlers))
      .filter((section) => section.document === document)
      .reduce(withSection, read(document));
  }

  test("without anything else: one report names everything that is missing, with the lines to add", () => {
    const lacks = lacking("hello", house);
    expect(lacks).toEqual([
      expect.stringMatching(
        /^handlers\/hello\/declaration\.ts is missing\. Add it, then run `make format`\. For example:.*name: "hello"/s,
      ),
      "__tests__/handlers/hello.test.ts is missing: it calls the handler as AWS Lambda does.",
      expect.stringMatching(
        /^No stack deploys it\. Add .*handler: helloHandler.*functionErrors\(this, "hello-errors"/s,
      ),
    ]);
  });

  test("needs a declaration, a test and a deployment with an alarm; `make format` does the rest", () => {
    declare();
    write("tests/hello.test.ts", "");
    const templates = [deploy({ GREETING: "Hello" })];
    expect(lacking("hello", { ...house, templates })).toEqual([
      "CODEOWNERS, docs/architecture.md, docs/runbooks.md must be written again: run `make format`.",
    ]);
    expect(format("CODEOWNERS")).toContain("\n/handlers/hello/ @acme/front-end\n");
    expect(format("docs/runbooks.md")).toContain("\n### hello-errors\n\n- **Means.** Nobody is greeted.\n");
    expect(format("docs/architecture.md")).toMatch(/\n\| \[hello\].* \| Greets .*\| front-end .*\| `GREETING` /);
    expect(lacking("hello", { ...house, templates, read: format })).toEqual([]);
  });

  test.each<[string, Readonly<Record<string, string>>]>([
    ["GREETING Invalid input", {}],
    ["GREETING Too small", { GREETING: "" }],
    ['Unrecognized key: "GREETINGS"', { GREETING: "Hello", GREETINGS: "Hello" }],
  ])("whose stack sets a variable wrong: the report names it: %s", (fault, environment) => {
    declare();
    write("tests/hello.test.ts", "");
    expect(lacking("hello", { ...house, templates: [deploy(environment)], read: format })).toEqual([
      expect.stringMatching(new RegExp(`^The stack sets the variables of acme-local-hello wrong: .*${fault}`)),
    ]);
  });

  test("without an alarm, with a wrong name and too large an archive: the report names all three", () => {
    declare('name: "hallo", archiveBytes: 10');
    write("tests/hello.test.ts", "");
    const [template] = [deploy({ GREETING: "Hello" }, { alarm: false })];
    const renamed = Object.create(template, {
      resources: {
        value: (type: string) => JSON.parse(JSON.stringify(template.resources(type)).replaceAll('"hallo"', '"hello"')),
      },
    }) as Template;
    expect(lacking("hello", { ...house, templates: [renamed], read: format })).toEqual([
      expect.stringMatching(/^No alarm reports failures of acme-local-hello\. Add .*functionErrors\(/s),
      'handlers/hello/declaration.ts declares the name "hallo"; it has to be "hello".',
      expect.stringMatching(/^Its archive has \d+ bytes, and at most 10 are allowed/),
    ]);
  });
});
