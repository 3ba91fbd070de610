import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { bucket, image, Platform, role } from "sagemaker-local/testing";
import { Emulator } from "../../workflow/support/emulator";
import { failure, roleOf, type Stack, Workspace } from "./support/workspace";

jest.setTimeout(300_000);

let platform: Platform;
let workspace: Workspace;

beforeAll(async () => {
  platform = await Platform.start({}, (url) => Emulator.start(url));
  workspace = new Workspace(platform.emulator.endpoint);
  const own = { ...roleOf("sagemaker.amazonaws.com"), name: role.split("/").at(-1) };
  await workspace.provision("role", { resource: { aws_iam_role: { role: own } } });
});
afterAll(async () => {
  workspace.close();
  await platform.stop();
});

function featureGroup(features: readonly string[], tags: Record<string, string> = {}): Stack {
  return {
    resource: {
      aws_sagemaker_feature_group: {
        group: {
          feature_group_name: "shells",
          record_identifier_feature_name: "id",
          event_time_feature_name: "at",
          feature_definition: ["id", "at", ...features].map((feature_name) => ({
            feature_name,
            feature_type: "String",
          })),
          role_arn: role,
          offline_store_config: { table_format: "Glue", s3_storage_config: { s3_uri: `s3://${bucket}/feature-store` } },
          tags,
        },
      },
      aws_sagemaker_model_package_group: { packages: { model_package_group_name: "shells" } },
    },
    output: { arn: "${aws_sagemaker_feature_group.group.arn}" },
  };
}

test("a feature group and a model package group are made once, tagged in place, and replaced when the features change", async () => {
  const { outputs } = await workspace.provision("features", featureGroup(["colour"]));
  const describe = () => platform.sagemaker.describeFeatureGroup({ FeatureGroupName: "shells" });
  expect(await describe()).toMatchObject({ FeatureGroupStatus: "Created", FeatureGroupArn: outputs.arn });
  const groups = await platform.sagemaker.describeModelPackageGroup({ ModelPackageGroupName: "shells" });
  expect(groups.ModelPackageGroupStatus).toBe("Completed");
  expect((await workspace.provision("features", featureGroup(["colour"]))).inventory.unchanged).toHaveLength(2);

  const tagged = await workspace.provision("features", featureGroup(["colour"], { Owner: "acme" }));
  expect(tagged.inventory).toMatchObject({ updated: ["aws_sagemaker_feature_group.group"], replaced: [] });
  const { Tags } = await platform.sagemaker.listTags({ ResourceArn: outputs.arn as string });
  expect(Tags).toContainEqual({ Key: "Owner", Value: "acme" });

  const replaced = await workspace.provision("features", featureGroup(["colour", "weight"]));
  expect(replaced.inventory.replaced).toEqual(["aws_sagemaker_feature_group.group"]);
  expect((await describe()).FeatureDefinitions).toHaveLength(4);
});

test("a foreign feature group with other features is not adopted", async () => {
  const { stateFile, ...options } = workspace.options("features");
  const message = await failure(
    workspace.provision("features", featureGroup(["size"]), { ...options, stateFile: `${stateFile}.other` }),
  );
  expect(message).toContain("a feature group shells with other features");
});

/** A model package whose container multiplies by a factor. */
async function registerModel(factor: number): Promise<string> {
  workspace.file("models", `${factor}/model.json`, JSON.stringify({ factor }));
  const folder = join(workspace.folder, "stacks/models", String(factor));
  execFileSync("tar", ["-czf", `${folder}.tar.gz`, "-C", folder, "model.json"]);
  const url = await platform.put(`models/${factor}/model.tar.gz`, readFileSync(`${folder}.tar.gz`));
  await platform.sagemaker.createModelPackageGroup({ ModelPackageGroupName: "factors" }).catch(() => undefined);
  const { ModelPackageArn = "" } = await platform.sagemaker.createModelPackage({
    ModelPackageGroupName: "factors",
    ModelApprovalStatus: "Approved",
    InferenceSpecification: {
      Containers: [{ Image: image, ModelDataUrl: url }],
      SupportedContentTypes: ["text/csv"],
      SupportedResponseMIMETypes: ["text/csv"],
    },
  });
  return ModelPackageArn;
}

function endpoint(modelPackage: string, environment: Record<string, string> = {}): Stack {
  return {
    resource: {
      aws_sagemaker_model: {
        model: {
          execution_role_arn: role,
          primary_container: { model_package_name: modelPackage, environment },
          lifecycle: { create_before_destroy: true },
        },
      },
      aws_sagemaker_endpoint_configuration: {
        configuration: {
          name_prefix: "factors-",
          production_variants: [
            {
              variant_name: "champion",
              model_name: "${aws_sagemaker_model.model.name}",
              instance_type: "ml.t2.medium",
              initial_instance_count: 1,
            },
          ],
          lifecycle: { create_before_destroy: true },
        },
      },
      aws_sagemaker_endpoint: {
        endpoint: {
          name: "factors",
          endpoint_config_name: "${aws_sagemaker_endpoint_configuration.configuration.name}",
        },
      },
    },
    output: { name: "${aws_sagemaker_endpoint.endpoint.name}" },
  };
}

async function predict(): Promise<number> {
  const { Body } = await platform.runtime.invokeEndpoint({
    EndpointName: "factors",
    Body: "2",
    ContentType: "text/csv",
  });
  return Number.parseFloat(Buffer.from(Body).toString());
}

test("an endpoint is in service, moves to another model under the same name, and leaves nothing of the old one", async () => {
  const first = await registerModel(10);
  const second = await registerModel(30);
  const { outputs } = await workspace.provision("endpoint", endpoint(first));
  expect(outputs).toEqual({ name: "factors" });
  expect(await predict()).toBe(20);
  expect((await workspace.provision("endpoint", endpoint(first))).inventory.unchanged).toHaveLength(3);

  const { inventory } = await workspace.provision("endpoint", endpoint(second));
  expect(inventory.replaced).toEqual([
    "aws_sagemaker_endpoint_configuration.configuration",
    "aws_sagemaker_model.model",
  ]);
  expect(inventory.updated).toContain("aws_sagemaker_endpoint.endpoint");
  expect(await predict()).toBe(60);
  expect((await platform.sagemaker.listModels({})).Models).toHaveLength(1);
  expect((await platform.sagemaker.listEndpointConfigs({})).EndpointConfigs).toHaveLength(1);

  await platform.sagemaker.deleteEndpoint({ EndpointName: "factors" });
  const healed = await workspace.provision("endpoint", endpoint(second));
  expect(healed.inventory.created).toEqual(["aws_sagemaker_endpoint.endpoint"]);
  expect(await predict()).toBe(60);
  expect(await workspace.destroy("endpoint")).toHaveLength(3);
});

test("an endpoint that can't serve says why; once the model is right, it is made again", async () => {
  const model = await registerModel(5);
  const message = await failure(workspace.provision("endpoint", endpoint(model, { SERVE_MODE: "broken" })));
  expect(message).toMatch(
    /Stack endpoint, aws_sagemaker_endpoint\.endpoint: the endpoint factors is Failed: FailureReason: ./,
  );
  await workspace.provision("endpoint", endpoint(model));
  expect(await predict()).toBe(10);
  const { EndpointStatus } = await platform.sagemaker.describeEndpoint({ EndpointName: "factors" });
  expect(EndpointStatus).toBe("InService");
  await workspace.destroy("endpoint");
});

test("a model that is rolled back leaves the previous one in service, and says why and what to do, at every attempt", async () => {
  const good = await registerModel(10);
  const bad = await registerModel(30);
  await workspace.provision("endpoint", endpoint(good));
  const configs = async (): Promise<string[]> => {
    const { EndpointConfigs = [] } = await platform.sagemaker.listEndpointConfigs({});
    return EndpointConfigs.map(({ EndpointConfigName = "" }) => EndpointConfigName);
  };
  const [serving] = await configs();
  for (let time = 0; time < 2; time += 1) {
    const message = await failure(workspace.provision("endpoint", endpoint(bad, { SERVE_MODE: "broken" })));
    expect(message).toContain("the endpoint factors keeps its previous model. FailureReason: The primary");
    expect(message).toContain("the model can't be read");
    expect(message).toContain('What to do: docs/runbooks.md, "A release was rolled back"');
    expect(await predict()).toBe(20);
    // What serves stays.
    expect(await configs()).toContain(serving);
  }
  await workspace.provision("endpoint", endpoint(bad));
  expect(await predict()).toBe(60);
  expect(await configs()).toHaveLength(1);
  await workspace.destroy("endpoint");
});
