import { integrationStatements } from "../../../modules/training-workflow/permissions";
import type { Statement } from "../../../modules/policy";
import { testPlace } from "../../support/synthesize";

const scope = { place: testPlace, jobPrefix: "acme-test" };
const role = "arn:aws:iam::123456789012:role/job";

type States = Readonly<Record<string, object>>;
const task = (resource: string, given: object): object => ({
  Type: "Task",
  Resource: `arn:aws:states:::${resource}`,
  Arguments: given,
});
const statementsOf = (States: States): readonly Statement[] => integrationStatements({ States }, scope);

/** Action, resource and condition of each statement, one line each, so that neither order nor grouping matters. */
const lines = (statements: readonly Statement[]): string[] =>
  statements
    .flatMap(({ actions, resources, conditions }) =>
      actions.flatMap((action) =>
        resources.map((resource) => [action, resource, conditions ? JSON.stringify(conditions) : ""].join(" ").trim()),
      ),
    )
    .sort();

const passed = `iam:PassRole ${role} {"StringEquals":{"iam:PassedToService":"sagemaker.amazonaws.com"}}`;

/**
 * The policies for "Run a Job (.sync)" with static resources, of the page "IAM policies for calling Amazon SageMaker
 * AI" in the Step Functions Developer Guide; its `sagemaker:ListTags` on `*` is held to the jobs here.
 * `sagemaker:AddTags` is what Step Functions marks its jobs with. The guide lets a transform job pass a role, but
 * CreateTransformJob takes none.
 */
const lists: readonly (readonly [api: string, given: object, kind: string, resource: string, rule: string])[] = [
  ["createTrainingJob", { RoleArn: role }, "TrainingJob", "training-job", "TrainingJobs"],
  ["createProcessingJob", { RoleArn: role }, "ProcessingJob", "processing-job", "ProcessingJobs"],
  ["createTransformJob", { ModelName: "model" }, "TransformJob", "transform-job", "TransformJobs"],
];

test.each(lists)("%s.sync gets AWS's list, no more and no less", (api, given, kind, resource, rule) => {
  const job = `arn:aws:sagemaker:eu-west-1:123456789012:${resource}/acme-test-*`;
  const managed = `arn:aws:events:eu-west-1:123456789012:rule/StepFunctionsGetEventsForSageMaker${rule}Rule`;
  expect(lines(statementsOf({ Work: task(`sagemaker:${api}.sync`, given) }))).toEqual(
    [
      ...["Create", "Describe", "Stop"].map((verb) => `sagemaker:${verb}${kind} ${job}`),
      ...["AddTags", "ListTags"].map((verb) => `sagemaker:${verb} ${job}`),
      ...["DescribeRule", "PutRule", "PutTargets"].map((verb) => `events:${verb} ${managed}`),
      ...("RoleArn" in given ? [passed] : []),
    ].sort(),
  );
});

test("a call of a function gets this function alone", () => {
  expect(lines(statementsOf({ Work: task("lambda:invoke", { FunctionName: "arn:function" }) }))).toEqual([
    "lambda:InvokeFunction arn:function",
  ]);
});

test("tasks within Map and Parallel count, and each function and role counts once", () => {
  const train = task("sagemaker:createTrainingJob.sync", { RoleArn: role });
  const call = task("lambda:invoke", { FunctionName: "arn:function" });
  const nested = statementsOf({
    Each: { Type: "Map", ItemProcessor: { States: { Train: train, Call: call } } },
    Both: { Type: "Parallel", Branches: [{ States: { Train: train } }, { States: { Call: call } }] },
    End: { Type: "Succeed" },
  });
  expect(lines(nested)).toEqual(lines(statementsOf({ Train: train, Call: call })));
});

test("two roles are passed by two statements", () => {
  const other = "arn:aws:iam::123456789012:role/other";
  const statements = statementsOf({
    A: task("sagemaker:createTrainingJob.sync", { RoleArn: role }),
    B: task("sagemaker:createProcessingJob.sync", { RoleArn: other }),
  });
  const passing = statements.filter(({ actions }) => actions.includes("iam:PassRole"));
  expect(passing.map(({ resources }) => resources)).toEqual([[role], [other]]);
  expect(new Set(passing.map(({ sid }) => sid)).size).toBe(2);
});

test("a definition without tasks needs nothing", () => {
  expect(statementsOf({ End: { Type: "Succeed" } })).toEqual([]);
});

test.each([
  ["an integration that nobody has listed", task("sagemaker:createEndpoint", {}), "The state Work uses"],
  ["a job for which nobody waits", task("sagemaker:createTrainingJob", { RoleArn: role }), "The state Work uses"],
  ["an ARN of a function", { Type: "Task", Resource: "arn:aws:lambda:eu-west-1:1:function:a" }, "The state Work uses"],
  ["a name of JavaScript's own", task("sagemaker:constructor.sync", {}), "The state Work uses"],
  ["a role chosen in the run", task("sagemaker:createTrainingJob.sync", { RoleArn: "{% $role %}" }), "expression for"],
  ["a job without a role", task("sagemaker:createTrainingJob.sync", {}), "The state Work has no RoleArn"],
  ["a function chosen in the run", task("lambda:invoke", { FunctionName: "{% $name %}" }), "expression for its Func"],
])("%s stops synth with the state's name", (_, state, message) => {
  expect(() => statementsOf({ Work: state })).toThrow(message);
});
