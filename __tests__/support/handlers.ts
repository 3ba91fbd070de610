/** Finds what a handler lacks, so that one test reports all of it at once. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { declarationOf, handlerDeclarations, handlerSections } from "../../docs/handlers";
import { withSection } from "../../docs/section";
import { type HandlerDeclaration, usualArchiveBytes } from "../../handlers/shared/declaration";
import { bundle } from "../../modules/bundle";
import * as z from "../../survey/zod";
import type { Template } from "./synthesize";

/** Where a handler has to be known. */
export interface House {
  /** The folder with a folder for each handler. */
  readonly handlers: string;
  /** The folder with `<name>.test.ts` for each handler. */
  readonly tests: string;
  /** The stacks of every environment. */
  readonly templates: readonly Template[];
  /** The content of a document, by its path from the repository's root. */
  read(document: string): string;
}

/** A function that a stack deploys. */
interface DeployedFunction {
  readonly name: string;
  /** As its stack sets them, without those that every function gets. */
  readonly variables: Readonly<Record<string, string>>;
  readonly hasAlarm: boolean;
}

/** The functions in these stacks that run a handler. */
export function functionsOf(handler: string, templates: readonly Template[]): readonly DeployedFunction[] {
  return templates.flatMap((template) => {
    const alarms = Object.values(template.resources("aws_cloudwatch_metric_alarm")).map(({ alarm_name }) => alarm_name);
    return Object.values(template.resources("aws_lambda_function"))
      .filter(({ environment }) => environment.variables.POWERTOOLS_SERVICE_NAME === handler)
      .map(({ function_name: name, environment }) => ({
        name,
        variables: Object.fromEntries(
          Object.entries<string>(environment.variables).filter(([key]) => !/^(POWERTOOLS_|LOG_LEVEL$)/.test(key)),
        ),
        hasAlarm: alarms.includes(`${name}-errors`),
      }));
  });
}

const identifier = (name: string): string => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

const exampleDeclaration = (name: string): string => `
    import type { HandlerDeclaration } from "../shared/declaration";
    import { name } from "../shared/environment";

    /** What the stack sets. */
    export const variables = { TABLE: name };

    export const declaration = {
      name: "${name}",
      purpose: "What it does",
      owners: ["platform"],
      variables,
      failure: { means: "What the alarm means", look: "Where the cause is found", do: "What to do about it" },
    } satisfies HandlerDeclaration;`;

const exampleDeployment = (name: string): string => `
    import { declaration as ${identifier(name)}Handler } from "../handlers/${name}/declaration";

    const ${identifier(name)} = new TypeScriptFunction(this, "${name}", {
      name: this.named("${name}"),
      handler: ${identifier(name)}Handler,
      environment: { TABLE: … }, // the variables of the declaration
      statements: [], // what it may do beside writing its logs and traces
      logRetentionDays,
      encryptionKeyArn,
    });${exampleAlarm(name)}`;

const exampleAlarm = (name: string): string => `
    functionErrors(this, "${name}-errors", { function: ${identifier(name)}, topicArn: topic.arn });`;

function wrongVariables({ variables }: HandlerDeclaration, deployed: DeployedFunction): readonly string[] {
  const result = z.strictObject(variables).safeParse(deployed.variables);
  return (result.error?.issues ?? []).map(
    ({ path, message }) => `The stack sets the variables of ${deployed.name} wrong: ${path.join(".")} ${message}`,
  );
}

/**
 * What a handler lacks.
 * @param name its folder
 * @returns a sentence for each, with the lines to add; nothing where it is complete
 */
export function lacking(name: string, house: House): readonly string[] {
  const entry = join(house.handlers, name, "index.ts");
  const declaration = declarationOf(name, house.handlers);
  const deployed = functionsOf(name, house.templates);
  const lacks: string[] = [];
  if (!existsSync(entry)) {
    lacks.push(`handlers/${name}/index.ts is missing: it exports \`handler\`.`);
  }
  if (!existsSync(join(house.tests, `${name}.test.ts`))) {
    lacks.push(`__tests__/handlers/${name}.test.ts is missing: it calls the handler as AWS Lambda does.`);
  }
  if (deployed.length === 0) {
    lacks.push(
      `No stack deploys it. Add to a file in stacks/ (in ml-workflow.ts, one call of this.function does it all):${exampleDeployment(name)}`,
    );
  }
  const silent = deployed.filter(({ hasAlarm }) => !hasAlarm);
  if (silent.length > 0) {
    const names = silent.map((each) => each.name).join(", ");
    lacks.push(`No alarm reports failures of ${names}. Add to the stack:${exampleAlarm(name)}`);
  }
  if (!declaration) {
    return [
      `handlers/${name}/declaration.ts is missing. Add it, then run \`make format\`. For example:${exampleDeclaration(name)}`,
      ...lacks,
    ];
  }
  if (declaration.name !== name) {
    lacks.push(`handlers/${name}/declaration.ts declares the name "${declaration.name}"; it has to be "${name}".`);
  }
  lacks.push(...deployed.flatMap((each) => wrongVariables(declaration, each)));
  const stale = handlerSections(handlerDeclarations(house.handlers)).filter(
    (section) => house.read(section.document) !== withSection(house.read(section.document), section),
  );
  if (stale.length > 0) {
    lacks.push(`${stale.map(({ document }) => document).join(", ")} must be written again: run \`make format\`.`);
  }
  const { archiveBytes = usualArchiveBytes } = declaration;
  const size = existsSync(entry) ? bundle(entry).length : 0;
  if (size > archiveBytes) {
    lacks.push(
      `Its archive has ${size} bytes, and at most ${archiveBytes} are allowed, for Lambda fetches it at every cold start. ` +
        "Import less, or declare `archiveBytes` with the reason.",
    );
  }
  return lacks;
}
