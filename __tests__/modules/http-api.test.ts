import { type ApiHandler, HttpApi, type HttpApiProps } from "../../modules/http-api";
import { synthesize, type Template } from "../support/synthesize";

/** What an API needs of a function; the function itself has its own test. */
const handler = (name: string): ApiHandler["function"] => ({ name, invokeArn: `arn:invoke:${name}` });

function make(changes: Partial<HttpApiProps> = {}): Template {
  return synthesize((stack) => {
    new HttpApi(stack, "api", {
      name: "acme-test",
      description: "The API",
      handlers: {
        predict: { function: handler("acme-predict"), routes: ["/api/predict", "$default"] },
        contact: { function: handler("acme-contact"), routes: ["/api/contact"] },
      },
      requestsPerSecond: 10,
      burst: 20,
      logRetentionDays: 30,
      encryptionKeyArn: "arn:key",
      ...changes,
    });
  });
}

const template = make();
const stage = template.resource("aws_apigatewayv2_stage");

test("every method of a path goes to the path's function, and unknown paths go to the default", () => {
  const routes = Object.values(template.resources("aws_apigatewayv2_route")).map(({ route_key: key, target }) => [
    key,
    target,
  ]);
  const integration = (name: string) => `integrations/\${aws_apigatewayv2_integration.api_${name}-integration.id}`;
  expect(routes.sort()).toEqual([
    ["$default", integration("predict")],
    ["ANY /api/contact", integration("contact")],
    ["ANY /api/predict", integration("predict")],
  ]);
  expect(template.resource("aws_apigatewayv2_integration", "api_predict-integration")).toMatchObject({
    integration_uri: "arn:invoke:acme-predict",
    payload_format_version: "2.0",
  });
});

test("an integration gives up before API Gateway does, so that the function's own answer can arrive", () => {
  for (const { timeout_milliseconds: limit } of Object.values(template.resources("aws_apigatewayv2_integration"))) {
    expect(limit).toBeLessThan(30_000);
  }
});

test("the API calls a function for its own routes alone", () => {
  const permissions = template.resources("aws_lambda_permission");
  const api = "${aws_apigatewayv2_api.api_api.execution_arn}";
  expect(permissions["api_api-contact-permission"]).toMatchObject({
    function_name: "acme-contact",
    principal: "apigateway.amazonaws.com",
    source_arn: `${api}/*/*/api/contact`,
  });
  expect(permissions["api_default-permission"]).toMatchObject({ source_arn: `${api}/*/$default` });
  expect(new Set(Object.values(permissions).map(({ statement_id: id }) => id)).size).toBe(3);
});

test("every route is throttled and counted", () => {
  expect(stage.default_route_settings).toEqual({
    detailed_metrics_enabled: true,
    throttling_rate_limit: 10,
    throttling_burst_limit: 20,
  });
});

test("its log has caller, route and status, encrypted, and no content", () => {
  expect(template.resource("aws_cloudwatch_log_group")).toMatchObject({
    name: "/aws/vendedlogs/apis/acme-test",
    retention_in_days: 30,
    kms_key_id: "arn:key",
  });
  expect(stage.access_log_settings.destination_arn).toBe("${aws_cloudwatch_log_group.api_logs.arn}");
  const format = JSON.parse(stage.access_log_settings.format) as Record<string, string>;
  expect(Object.values(format)).toEqual(
    expect.arrayContaining(["$context.identity.sourceIp", "$context.path", "$context.status"]),
  );
  for (const variable of Object.values(format)) {
    expect(variable).toMatch(/^\$context\.\w+(\.\w+)?$/);
    expect(variable).not.toMatch(/body|authorizer|querystring|header/i);
  }
});

test("what is deployed answers at once, without a stage in its address", () => {
  expect(stage).toMatchObject({ name: "$default", auto_deploy: true });
});
