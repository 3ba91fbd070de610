import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, LocalBackend, TerraformStack } from "cdktf";
import { AwsProvider } from "@cdktf/provider-aws/lib/provider";
import { type Contract, contract, deploymentOrder, ParameterStore, stackIds } from "../../stacks/contract";

const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) {
    rmSync(folder, { recursive: true });
  }
});

function stacks(...ids: string[]): TerraformStack[] {
  const outdir = mkdtempSync(join(tmpdir(), "contract-"));
  folders.push(outdir);
  const app = new App({ outdir, stackTraces: false });
  return ids.map((id) => {
    const stack = new TerraformStack(app, id);
    new AwsProvider(stack, "aws");
    new LocalBackend(stack, {});
    return stack;
  });
}

const table: Contract = {
  Bucket: { description: "A bucket", publisher: "below", readers: ["above"] },
};

describe("the platform's contract", () => {
  test("every stack comes after those from which it reads", () => {
    const order = deploymentOrder();
    expect([...order].sort()).toEqual([...stackIds].sort());
    for (const { publisher, readers } of Object.values(contract)) {
      for (const reader of readers) {
        expect(order.indexOf(publisher)).toBeLessThan(order.indexOf(reader));
      }
    }
  });

  test("the test website is deployed before the production website", () => {
    expect(deploymentOrder().indexOf("website-test")).toBeLessThan(deploymentOrder().indexOf("website-production"));
  });

  test("only what the workflow writes changes at run time", () => {
    const changing = Object.entries(contract).filter(([, declaration]) => "changesAtRunTime" in declaration);
    expect(changing.map(([name]) => name)).toEqual([
      "ModelPackageName",
      "BaselineDataUri",
      "MonitoringBaselineUri",
      "FiguresKey",
    ]);
  });
});

describe("the order of any contract", () => {
  test("follows what is read, whatever order the stacks are listed in", () => {
    expect(deploymentOrder(table, ["above", "beside", "below"])).toEqual(["below", "above", "beside"]);
  });

  test("a cycle is shown", () => {
    const circle: Contract = { ...table, Other: { description: "", publisher: "above", readers: ["below"] } };
    expect(() => deploymentOrder(circle, ["below", "above"])).toThrow(
      "The stacks depend on one another: below reads from above reads from below.",
    );
  });

  test("a stack that reads its own parameter is a cycle, too", () => {
    const circle: Contract = { Bucket: { description: "", publisher: "one", readers: ["one"] } };
    expect(() => deploymentOrder(circle, ["one"])).toThrow("one reads from one");
  });

  test("a stack that doesn't exist is named", () => {
    expect(() => deploymentOrder(table, ["below"])).toThrow(
      "Bucket of stacks/contract.ts names the stack above, which is not one of below.",
    );
  });
});

describe("publishing and reading", () => {
  test("reading makes the publisher come first, whichever stack is made first", () => {
    const [above, below] = stacks("above", "below") as [TerraformStack, TerraformStack];
    const store = new ParameterStore("local", table);
    store.read(above, "Bucket");
    store.read(above, "Bucket");
    store.publish(below, "Bucket", "value");
    store.connect([above, below]);
    expect(above.dependencies).toEqual([below]);
    expect(above.toTerraform().data.aws_ssm_parameter.Bucket.name).toBe("/acme/local/Bucket");
    expect(below.toTerraform().resource.aws_ssm_parameter.Bucket).toMatchObject({
      name: "/acme/local/Bucket",
      type: "String",
      insecure_value: "value",
      description: "A bucket",
    });
  });

  test("a value that changes at run time is left alone by later plans", () => {
    const [below] = stacks("below") as [TerraformStack];
    const store = new ParameterStore("local", { Bucket: { ...table.Bucket!, changesAtRunTime: true } });
    store.publish(below, "Bucket", "PLACEHOLDER");
    expect(below.toTerraform().resource.aws_ssm_parameter.Bucket.lifecycle).toEqual({
      ignore_changes: ["insecure_value"],
    });
  });

  test.each<[string, (store: ParameterStore, above: TerraformStack, below: TerraformStack) => void, string]>([
    [
      "publishing another's name",
      (store, above) => {
        store.publish(above, "Bucket", "x");
      },
      "The stack above publishes Bucket, but its publisher in stacks/contract.ts is below",
    ],
    [
      "publishing twice",
      (store, _, below) => {
        store.publish(below, "Bucket", "x");
        store.publish(below, "Bucket", "x");
      },
      "below publishes Bucket twice",
    ],
    [
      "reading undeclared",
      (store, _, below) => {
        store.read(below, "Bucket");
      },
      "The stack below reads Bucket, but its readers in stacks/contract.ts are: above",
    ],
    [
      "an unknown name",
      (store, above) => {
        store.read(above, "Buckets");
      },
      "Buckets is not in stacks/contract.ts",
    ],
    [
      "a name of every object",
      (store, above) => {
        store.read(above, "toString");
      },
      "toString is not in stacks/contract.ts",
    ],
    [
      "not publishing",
      (store, above, below) => {
        store.read(above, "Bucket");
        store.connect([above, below]);
      },
      "stacks/contract.ts says that below publishes Bucket, but it doesn't",
    ],
    [
      "a publisher left out",
      (store, above) => {
        store.read(above, "Bucket");
        store.connect([above]);
      },
      "above reads Bucket, but no stack publishes it: add the stack below to main.ts",
    ],
    [
      "not reading",
      (store, above, below) => {
        store.publish(below, "Bucket", "x");
        store.connect([above, below]);
      },
      "stacks/contract.ts says that above reads Bucket, but it doesn't",
    ],
  ])("%s is an error", (_, act, message) => {
    const [above, below] = stacks("above", "below") as [TerraformStack, TerraformStack];
    expect(() => {
      act(new ParameterStore("local", table), above, below);
    }).toThrow(message);
  });
});
