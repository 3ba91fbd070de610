import { Arguments } from "./arguments";
import { deleteGone } from "./deletion";
import { describeError, ProvisionError } from "./errors";
import { refuseUnknownArguments, settleResource, valueOfMade } from "./resource";
import { dataSourceKinds, leftOutKinds, resourceKinds } from "./resource-types";
import { type Run, Stopped } from "./run";
import { runInOrder } from "./schedule";
import { StackScope } from "./scope";
import type { Block, Condition, StackDocument } from "./stack-document";
import { asText, isMap, type ValueMap } from "./value";

interface Work {
  readonly run: Run;
  readonly document: StackDocument;
  readonly scope: StackScope;
  /** The tags that every resource gets. */
  readonly defaultTags: ValueMap;
}

/**
 * Makes a stack's resources, each after its dependencies, then deletes those that it no longer has.
 * @throws ProvisionError that names the stack, the resource and the reason; or the error of the progress callback.
 */
export async function apply(run: Run, document: StackDocument): Promise<void> {
  const gone = run.state.addresses.filter((address) => !isMade(document, address));
  run.total = document.resources.size + gone.length;
  const scope = new StackScope(document);
  const tags = scope.evaluate(document.defaultTags, "provider.aws");
  const work: Work = { run, document, scope, defaultTags: isMap(tags) ? tags : {} };
  const tasks = [...document.dataSources.values(), ...document.resources.values()].map((block) => ({
    address: block.address,
    dependencies: block.dependencies,
    run: () => applyBlock(work, block),
  }));
  const failures = await runInOrder(tasks, run.options.parallel ?? 8);
  if (run.stopped) {
    throw run.stopped.cause;
  }
  throwFailures([...failures.values()]);
  await deleteGone(run, gone);
}

function isMade(document: StackDocument, address: string): boolean {
  return resourceKinds.has(document.resources.get(address)?.type ?? "");
}

/** The made resources that a block depends on, also through data sources and left-out resources. */
function madeDependencies(document: StackDocument, address: string): readonly string[] {
  const block = document.resources.get(address) ?? document.dataSources.get(address);
  const found = (block?.dependencies ?? []).flatMap((dependency) =>
    isMade(document, dependency) ? [dependency] : madeDependencies(document, dependency),
  );
  return [...new Set(found)].sort();
}

async function applyBlock(work: Work, block: Block): Promise<void> {
  const { run, scope } = work;
  if (run.stopped) {
    throw run.stopped;
  }
  try {
    check(work, block, block.preconditions);
    const evaluated = scope.evaluate(block.arguments, block.address) as ValueMap;
    const value = await valueOf(work, block, evaluated);
    scope.define(block.address, value);
    check(work, block, block.postconditions, value);
  } catch (error) {
    if (error instanceof Stopped || error instanceof ProvisionError) {
      throw error;
    }
    throw new ProvisionError(`Stack ${run.stack}, ${block.address}: ${describeError(error)}`);
  }
}

/** Reads a data source, computes a left-out resource, or makes a resource; returns the value for references. */
async function valueOf(work: Work, block: Block, evaluated: ValueMap): Promise<ValueMap> {
  const { run, document, defaultTags } = work;
  const where = `Stack ${run.stack}, ${block.address}`;
  const place = run.place(block.address);
  const list = new Arguments(evaluated, where);
  const dataSource = block.address.startsWith("data.") ? dataSourceKinds.get(block.type) : undefined;
  if (dataSource) {
    const found = await dataSource.read({ ...place, arguments: list });
    refuseUnknownArguments(list, where, block.type, "local/provision/data-sources.ts");
    return { ...evaluated, ...found };
  }
  const leftOut = leftOutKinds.get(block.type);
  if (leftOut) {
    run.leftOut.push({ type: block.type, name: block.name, reason: leftOut.reason });
    run.report(block.address, "left out");
    return { ...evaluated, ...leftOut.attributes?.({ ...place, arguments: list }) };
  }
  const kind = resourceKinds.get(block.type);
  if (!kind) {
    throw new ProvisionError(`${where}: the type is not known`);
  }
  const tags = isMap(evaluated.tags) ? evaluated.tags : {};
  const wanted = { ...evaluated, tags_all: { ...defaultTags, ...tags } };
  return valueOfMade(kind, await settleResource(run, block, kind, wanted, madeDependencies(document, block.address)));
}

function check({ run, scope }: Work, block: Block, conditions: readonly Condition[], self?: ValueMap): void {
  for (const { condition, message } of conditions) {
    const result = scope.evaluate(condition, `${block.address}, condition`, self);
    if (result !== true) {
      const text = asText(scope.evaluate(message, `${block.address}, error_message`, self)) ?? "";
      throw new ProvisionError(
        `Stack ${run.stack}, ${block.address}: ${text} (the condition ${JSON.stringify(condition)} does not hold)`,
      );
    }
  }
}

function throwFailures(reasons: readonly unknown[]): void {
  if (reasons.length === 1) {
    throw reasons[0];
  }
  if (reasons.length > 1) {
    throw new ProvisionError(reasons.map((reason) => `- ${describeError(reason)}`).join("\n"));
  }
}
