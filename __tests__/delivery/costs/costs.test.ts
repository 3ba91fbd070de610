import { readFileSync } from "node:fs";
import { join } from "node:path";
import { awsServices } from "../../../aws-services";
import type { Charge } from "../../../aws-services/record";
import { costs as costsCommand } from "../../../delivery/costs";
import { type Costs, costsOf, type StackDocument, sum, unverified } from "../../../delivery/costs/costs";
import { document, pricedEnvironments, withCosts } from "../../../delivery/costs/document";
import { priceOf, prices } from "../../../delivery/costs/prices";
import { budgetLine, money, renderCosts, renderCostsMarkdown } from "../../../delivery/costs/render";
import { type Resource, usages, useOf } from "../../../delivery/costs/usage";
import { readRequest } from "../../../delivery/request";
import { environmentNames, loadEnvironment } from "../../../environments";
import { projectRoot } from "../../../modules/project-root";
import type { StackId } from "../../../stacks/contract";
import { synthesizePlatform } from "../../support/synthesize";

const documentsOf = (name: (typeof environmentNames)[number]): Record<string, StackDocument> =>
  Object.fromEntries(
    Object.entries(synthesizePlatform(name)).map(([id, template]) => [id, template.document as StackDocument]),
  );

const production = loadEnvironment("production");

/** The charges of one resource, with the use of production. */
function chargesOf(
  type: string,
  block: Resource["arguments"],
  name = "it",
  stack: StackId = "data",
): readonly Charge[] {
  const { price } = awsServices.record(type);
  if (!("charges" in price)) {
    throw new Error(`${type} has no charges`);
  }
  return price.charges(block, useOf({ stack, type, name, arguments: block }, usages.production));
}

const quantityOf = (charges: readonly Charge[], price: string): number =>
  charges.filter((charge) => charge.price === price).reduce((total, { quantity }) => total + quantity, 0);

describe("the stacks of every environment", () => {
  test.each(environmentNames)("%s: every type has a record, and every charge a price", (name) => {
    const { lines, unpriced, free } = costsOf(loadEnvironment(name), documentsOf(name));
    expect(unpriced.filter(({ why }) => why.includes("has no price"))).toEqual([]);
    expect(lines.length + unpriced.length).toBeGreaterThan(5);
    expect(free).toBeGreaterThan(20);
  });

  test("fixed costs are those of the parts: NAT gateways, endpoints, instances", () => {
    const { lines } = costsOf(production, documentsOf("production"));
    const of = (price: string): number => sum(lines.filter((line) => line.price === price));
    expect(of("natGatewayHour")).toBeCloseTo(2 * 730 * 0.048);
    expect(of("instance:ml.c5.large")).toBeCloseTo(2 * 730 * (priceOf("instance:ml.c5.large")?.usd ?? 0));
    expect(of("airflowSmallHour")).toBeCloseTo(730 * (priceOf("airflowSmallHour")?.usd ?? 0));
  });

  test("docs/costs.md shows what they cost now", () => {
    const file = join(projectRoot, document);
    const text = readFileSync(file, "utf8");
    const costs = pricedEnvironments.map((environment) => costsOf(environment, documentsOf(environment.name)));
    expect(costs.length).toBeGreaterThan(1);
    // Otherwise: npx tsx delivery/costs/document.ts
    expect(text).toBe(withCosts(text, costs));
  });
});

describe("one resource", () => {
  test("an unknown type stops it, and is named", () => {
    const documents = { data: { resource: { aws_supercomputer: { one: {} }, aws_vpc: { two: {} } } } };
    expect(() => costsOf(production, documents)).toThrow(
      /record of aws_supercomputer: .*aws-services\/supercomputer\.ts/,
    );
  });

  test("prices of one region are not used for another", () => {
    expect(() => costsOf({ ...production, region: "us-east-1" }, {})).toThrow(/are for eu-west-1; .* is in us-east-1/);
  });

  test("an instance without a price is listed, never counted as free", () => {
    const block = { production_variants: [{ instance_type: "ml.p9.large", initial_instance_count: 1 }] };
    const { lines, unpriced } = costsOf(production, {
      "website-test": { resource: { aws_sagemaker_endpoint_configuration: { it: block } } },
    });
    expect(lines).toEqual([]);
    expect(unpriced).toMatchObject([{ count: 1, why: expect.stringContaining("no price instance:ml.p9.large") }]);
  });

  test("an endpoint is paid for in each of its zones, and that of S3 not at all", () => {
    const interfaceEndpoint = { vpc_endpoint_type: "Interface", subnet_ids: ["a", "b"] };
    expect(quantityOf(chargesOf("aws_vpc_endpoint", interfaceEndpoint), "interfaceEndpointHour")).toBe(1_460);
    expect(chargesOf("aws_vpc_endpoint", { vpc_endpoint_type: "Gateway" })).toEqual([]);
  });

  test("an alarm costs one for each metric that it looks at", () => {
    const query = [{ expression: "a/b" }, { metric: [{}] }, { metric: [{}] }];
    expect(quantityOf(chargesOf("aws_cloudwatch_metric_alarm", { metric_query: query }), "alarmMonth")).toBe(2);
    expect(quantityOf(chargesOf("aws_cloudwatch_metric_alarm", {}), "alarmMonth")).toBe(1);
  });

  test("a state machine's jobs are paid for by their machines", () => {
    const job = (InstanceType: string) => ({
      Arguments: { ResourceConfig: { InstanceType, InstanceCount: 2, VolumeSizeInGB: 10 } },
    });
    const definition = JSON.stringify({ States: { Train: job("ml.m5.xlarge"), Score: job("ml.m5.large") } });
    const charges = chargesOf("aws_sfn_state_machine", { definition });
    expect(quantityOf(charges, "instance:ml.m5.xlarge")).toBeCloseTo(8 * 2 * 0.1);
    expect(quantityOf(charges, "instance:ml.m5.large")).toBeCloseTo(8 * 2 * 0.1);
  });

  test("a website's use is its own, not that of the other stage", () => {
    const requests = (stack: StackId): number =>
      quantityOf(chargesOf("aws_apigatewayv2_api", {}, "api", stack), "apiRequest");
    expect(requests("website-production")).toBeGreaterThan(50 * requests("website-test"));
  });

  test("Airflow's first worker is in the price of the environment", () => {
    const class_ = { environment_class: "mw1.small" };
    const workers = (min_workers: number): number =>
      quantityOf(chargesOf("aws_mwaa_environment", { ...class_, min_workers }), "airflowSmallWorkerHour");
    expect(workers(3) - workers(1)).toBe(2 * 730);
  });
});

describe("prices", () => {
  test("each has AWS's page, and says where it was found", () => {
    expect(Object.keys(prices.prices).length).toBeGreaterThan(30);
    for (const [id, price] of Object.entries(prices.prices)) {
      expect([id, price.seen !== "price list" || price.seenDate !== undefined]).toEqual([id, true]);
    }
  });

  test("an id of another object's property is not a price", () => {
    expect(priceOf("constructor")).toBeUndefined();
  });
});

describe("what people see", () => {
  const costs: Costs = costsOf(production, documentsOf("production"));

  test("the sums say how much of them is unverified, and the lines which", () => {
    expect(unverified(costs.lines).length).toBeGreaterThan(0);
    for (const text of [renderCosts(costs), renderCostsMarkdown(costs)]) {
      expect(text).toContain(money(sum(costs.lines)));
      expect(text).toContain(money(sum(unverified(costs.lines))));
      expect(text).toContain("UNVERIFIED");
      expect(text).toContain("Not counted:");
    }
    expect(renderCosts(costs)).toContain(`recorded on ${prices.date}`);
  });

  test("no line of the text is longer than 100 columns", () => {
    expect(
      renderCosts(costs)
        .split("\n")
        .filter((line) => line.length > 100),
    ).toEqual([]);
  });

  test("the budget is shown beside the sum", () => {
    const line = { ...costs.lines[0]!, dollars: 300 };
    expect(budgetLine({ ...costs, budget: 400, lines: [line] })).toBe("75 % of its budget of 400.00.");
    expect(budgetLine({ ...costs, budget: 200, lines: [line] })).toContain("will go off every month");
    const { environment, usage, unpriced, free } = costs;
    expect(budgetLine({ environment, usage, unpriced, free, lines: [line] })).toBe("There is no budget alarm.");
  });
});

describe("an environment that AWS doesn't run", () => {
  const told = async (format: string): Promise<string> => {
    process.env.FORMAT = format;
    const texts: string[] = [];
    await costsCommand(readRequest({ ENVIRONMENT: "local" }), (text) => texts.push(text));
    return texts.join("\n");
  };

  test("has costs of the same shape for a program, with nothing in them", async () => {
    const counted = JSON.parse(await told("json")) as Costs;
    expect(counted).toMatchObject({ environment: "local", lines: [], unpriced: [], free: 0 });
    expect(sum(counted.lines)).toBe(0);
  });

  test("costs nothing, in words", async () => {
    expect(await told("")).toMatch(/^local costs nothing/);
    expect(await told("markdown")).toMatch(/^### local: 0\.00 dollars a month\n\n/);
    await expect(told("yaml")).rejects.toThrow('FORMAT is "yaml"; expected one of text, markdown, json');
  });
});
