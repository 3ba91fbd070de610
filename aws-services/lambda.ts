/** AWS Lambda: functions, permissions to call them, and event sources. */
import { blocks, keyed, list, numberOf, textOf, values } from "./arguments";
import { arnsOf, ownTagOrNone, type Permissions } from "./permissions";
import { identity, type Service, usageCharge } from "./record";

const functions: Permissions = {
  sid: "Functions",
  reads: `
    lambda:GetFunction lambda:GetFunctionCodeSigningConfig lambda:GetFunctionConcurrency
    lambda:GetFunctionConfiguration lambda:GetPolicy lambda:ListTags lambda:ListVersionsByFunction`,
  writes: `
    lambda:AddPermission lambda:CreateFunction lambda:DeleteFunction lambda:DeleteFunctionConcurrency
    lambda:PutFunctionConcurrency lambda:RemovePermission lambda:TagResource lambda:UntagResource
    lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration`,
  on: "lambda:function:{name}",
};

export const lambda: Service = {
  aws_lambda_function: {
    permissions: [functions],
    price: {
      charges: ({ architectures, memory_size }, { functionCalls, functionSeconds }) => [
        usageCharge("functionRequest", functionCalls),
        usageCharge(
          list(architectures).includes("arm64") ? "functionArmSecond" : "functionSecond",
          (functionCalls * functionSeconds * numberOf(memory_size, 128)) / 1_024,
        ),
      ],
    },
    importId: "function_name",
    encryption: {
      elsewhere:
        "An AWS key encrypts the environment, which holds only names and numbers, and the code, which is ours.",
    },
    logGroup: (block) => {
      const [chosen] = values(block, "logging_config", "log_group");
      const name = textOf(block.function_name);
      return typeof chosen === "string" ? chosen : name === "" ? undefined : `/aws/lambda/${name}`;
    },
    images: (block) => [
      ...values(block, "image_uri"),
      // An image that a function passes on, as register-model does for model packages.
      ...blocks(block, "environment", "variables").flatMap((variables) => keyed(variables, /(?:^|_)IMAGE_URI$/)),
    ],
  },
  aws_lambda_permission: {
    permissions: [functions],
    price: identity,
    importId: ({ function_name: name, statement_id: id }) => `${String(name)}/${String(id)}`,
  },
  aws_lambda_event_source_mapping: {
    permissions: [
      {
        sid: "EventSources",
        // Its ARN contains a generated id; its function is in the request (Service Authorization Reference, "Actions
        // defined by AWS Lambda").
        reads: "lambda:GetEventSourceMapping lambda:ListTags",
        writes: `
          lambda:DeleteEventSourceMapping lambda:TagResource lambda:UntagResource lambda:UpdateEventSourceMapping`,
        on: "lambda:event-source-mapping:*",
        conditions: ownTagOrNone,
        readsAnywhere: "lambda:ListEventSourceMappings",
      },
      {
        // A new mapping has no ARN yet, so a condition on the function limits the action.
        sid: "CreateEventSources",
        writes: "lambda:CreateEventSourceMapping",
        on: "*",
        conditions: (scope) => ({ ArnLike: { "lambda:FunctionArn": arnsOf(scope, "lambda:function:{name}") } }),
      },
    ],
    price: { free: "Lambda's reads of a stream are free; its calls are counted at the function" },
    encryption: { elsewhere: "An AWS key encrypts the filter, which names a kind of event." },
  },
};
