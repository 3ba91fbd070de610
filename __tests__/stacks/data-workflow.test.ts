import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Environment, environmentNames, loadEnvironment } from "../../environments";
import { projectRoot } from "../../modules/project-root";
import { airflowRole } from "../../local/data-workflow/run";
import { pipelineName } from "../../local/platform/services";
import { synthesizePlatform } from "../support/synthesize";

/** The environments that have Airflow. */
const names = environmentNames.filter((name) => loadEnvironment(name).airflow);
const dag = readFileSync(join(projectRoot, "airflow-dags/acme_data_workflow.py"), "utf8");

test("at least one environment is tested", () => {
  expect(names).toEqual(["development", "production"]);
});

describe.each(names)("%s", (name) => {
  const { account, region, airflow, network } = loadEnvironment(name);
  const template = synthesizePlatform(name)["data-workflow"]!;
  const role = template.policyOf("airflow_role-policy");
  const data = "arn:aws:s3:::${data.aws_ssm_parameter.DataBucket.insecure_value}";

  test("Airflow is as its settings say, in two private subnets", () => {
    const subnets = 'split(",", data.aws_ssm_parameter.PrivateSubnetIds.insecure_value)';
    expect(template.resource("aws_mwaa_environment")).toMatchObject({
      name: `acme-${name}-airflow`,
      airflow_version: airflow!.version,
      environment_class: airflow!.environmentClass,
      max_workers: airflow!.maximumWorkers,
      webserver_access_mode: airflow!.webServer === "private" ? "PRIVATE_ONLY" : "PUBLIC_ONLY",
      network_configuration: { subnet_ids: [`\${element(${subnets}, 0)}`, `\${element(${subnets}, 1)}`] },
    });
  });

  test("Airflow gets the DAGs and nothing else of their folder", () => {
    const objects = Object.values(template.resources("aws_s3_object"));
    const placed = objects.filter(({ key }) => (key as string).startsWith("dags/"));
    expect(placed.map(({ key }) => key as string)).toEqual(["dags/acme_data_workflow.py"]);
    expect(template.file(placed[0]!.source).toString()).toBe(dag);
  });

  test("pip is given something to install only where it reaches a registry", () => {
    const keys = Object.values(template.resources("aws_s3_object")).map(({ key }) => key as string);
    expect(keys.includes("requirements.txt")).toBe(airflow!.webServer === "public");
    const closed = synthesizePlatform(name, {
      airflow: { ...airflow!, webServer: "public" },
      network: { ...network!, natGateways: 0 },
    })["data-workflow"]!;
    expect(closed.resource("aws_mwaa_environment")).not.toHaveProperty("requirements_s3_path");
  });

  test("the alarm of a failed run is for the DAG that is there", () => {
    const alarm = template.resource("aws_cloudwatch_metric_alarm", "airflow_acme-data-workflow-failed_alarm");
    expect(dag).toContain(`dag_id="${alarm.dimensions.DAG as string}"`);
  });

  test("the Variables are those that the DAG reads", () => {
    const path = `/acme/${name}/airflow/variables/`;
    const given = Object.values(template.resources("aws_ssm_parameter"))
      .map(({ name: parameter }) => parameter as string)
      .filter((parameter) => parameter.startsWith(path))
      .map((parameter) => parameter.slice(path.length));
    const read = [...dag.matchAll(/Variable\.get\("(\w+)"\)|var\.value\.(\w+)/g)].map(([, get, value]) => get ?? value);
    expect([...new Set(read)].sort()).toEqual(given.sort());
  });

  test("the DAG reads surveys, writes finished ones, and deletes only moved ones", () => {
    const via = { "kms:ViaService": `s3.${region}.amazonaws.com` };
    const key = "${data.aws_ssm_parameter.DataKey.insecure_value}";
    expect(role.allows("s3:ListBucket", data, { "s3:prefix": "surveys/" })).toBe(true);
    expect(role.allows("s3:ListBucket", data, { "s3:prefix": "runs/" })).toBe(false);
    expect(role.allows("s3:ListBucket", data)).toBe(false);
    expect(role.allows("s3:GetObject", `${data}/surveys/a.csv`)).toBe(true);
    expect(role.allows("s3:GetObject", `${data}/runs/r/model.tar.gz`)).toBe(false);
    expect(role.allows("s3:DeleteObject", `${data}/surveys/2026/a.csv`)).toBe(true);
    for (const folder of ["processed", "refused"]) {
      expect(role.allows("s3:PutObject", `${data}/surveys/${folder}/a.csv/1.csv`)).toBe(true);
      expect(role.allows("s3:AbortMultipartUpload", `${data}/surveys/${folder}/a.csv/1.csv`)).toBe(true);
      expect(dag).toContain(`"surveys/${folder}/"`);
    }
    for (const folder of ["processed", "refused", "rejected"]) {
      expect(role.denies("s3:DeleteObject", `${data}/surveys/${folder}/a.csv/1.csv`)).toBe(true);
    }
    expect(role.allows("s3:PutObject", `${data}/surveys/a.csv`)).toBe(false);
    expect(role.allows("s3:DeleteObject", `${data}/feature-store/a`)).toBe(false);
    for (const action of ["kms:Decrypt", "kms:GenerateDataKey"]) {
      expect(role.allows(action, key, via)).toBe(true);
    }
  });

  test("the DAG calls the two functions, and no other", () => {
    const functions = `arn:aws:lambda:${region}:${account}:function:`;
    const ingest = `${functions}\${data.aws_ssm_parameter.IngestSurveyFunction.insecure_value}`;
    expect(role.allows("lambda:InvokeFunction", ingest)).toBe(true);
    expect(role.allows("lambda:InvokeFunction", "${aws_lambda_function.release-change_function.arn}")).toBe(true);
    expect(role.allows("lambda:InvokeFunction", `${functions}acme-${name}-ml-workflow-register-model`)).toBe(false);
    expect(role.allows("codepipeline:StartPipelineExecution", "any")).toBe(false);
  });

  test("release-change starts the pipeline of the contract, and no other", () => {
    const pipeline = "${data.aws_ssm_parameter.Pipeline.insecure_value}";
    const starter = template.policyOfRole("release-change");
    const arn = `arn:aws:codepipeline:${region}:${account}:`;
    expect(template.resource("aws_lambda_function").environment.variables.PIPELINE).toBe(pipeline);
    expect(starter.allows("codepipeline:StartPipelineExecution", `${arn}${pipeline}`)).toBe(true);
    expect(starter.allows("codepipeline:StartPipelineExecution", `${arn}another`)).toBe(false);
    expect(starter.allows("codepipeline:PutApprovalResult", `${arn}${pipeline}`)).toBe(false);
  });

  test("every access of the DAGs' bucket is logged", () => {
    expect(template.resource("aws_s3_bucket_logging")).toMatchObject({
      target_bucket: "${data.aws_ssm_parameter.LogsBucket.insecure_value}",
    });
  });
});

test("an environment without a pipeline gets an error that says what is missing", () => {
  const withoutPipeline = { pipeline: undefined } as unknown as Partial<Environment>;
  expect(() => synthesizePlatform("development", withoutPipeline)).toThrow(
    /data-workflow reads Pipeline, but no stack publishes it: add the stack pipeline/,
  );
});

describe("local", () => {
  const template = synthesizePlatform("local")["data-workflow"]!;

  test("has the function and the Variables, but no Airflow", () => {
    expect(Object.keys(template.resources("aws_mwaa_environment"))).toEqual([]);
    const variables = Object.values(template.resources("aws_ssm_parameter")).map(({ name }) => String(name));
    expect(variables.filter((name) => name.includes("/variables/")).sort()).toEqual([
      "/acme/local/airflow/variables/acme_data_bucket",
      "/acme/local/airflow/variables/acme_ingest_survey_function",
      "/acme/local/airflow/variables/acme_release_change_function",
    ]);
  });

  test("has the role with which Airflow runs the DAG, and what the DAG may do is as on AWS", () => {
    expect(template.resource("aws_iam_role", "airflow_role").name).toBe(airflowRole);
    // Of what only MWAA itself does, it has nothing.
    const statementsOf = (name: "local" | "production"): readonly { readonly Sid: string }[] => {
      const document = synthesizePlatform(name)["data-workflow"]!.resource(
        "aws_iam_role_policy",
        "airflow_role-policy",
      );
      const text = (document.policy as string).replaceAll(`/${name}/`, "/environment/");
      return (JSON.parse(text) as { readonly Statement: readonly { readonly Sid: string }[] }).Statement;
    };
    const local = statementsOf("local");
    const sids = local.map(({ Sid }) => Sid);
    expect(sids).toContain("InvokeFunctions");
    const { account } = loadEnvironment("production");
    const own = JSON.stringify(statementsOf("production").filter(({ Sid }) => sids.includes(Sid)));
    expect(local).toEqual(JSON.parse(own.replaceAll(account, loadEnvironment("local").account)));
  });

  test("releases by the pipeline beside the emulator", () => {
    const [release] = Object.values(template.resources("aws_lambda_function"));
    expect(release!.environment.variables.PIPELINE).toBe(pipelineName);
  });
});
