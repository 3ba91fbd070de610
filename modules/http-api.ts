import { Apigatewayv2Api } from "@cdktf/provider-aws/lib/apigatewayv2-api";
import { Apigatewayv2Integration } from "@cdktf/provider-aws/lib/apigatewayv2-integration";
import { Apigatewayv2Route } from "@cdktf/provider-aws/lib/apigatewayv2-route";
import { Apigatewayv2Stage } from "@cdktf/provider-aws/lib/apigatewayv2-stage";
import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { LambdaPermission } from "@cdktf/provider-aws/lib/lambda-permission";
import { Construct } from "constructs";
import { placeOf } from "./place";
import type { TypeScriptFunction } from "./typescript-function";

/** A function and the requests that it answers. */
export interface ApiHandler {
  readonly function: Pick<TypeScriptFunction, "invokeArn" | "name">;
  /** Paths, or `$default` for requests that match no other route. */
  readonly routes: readonly (`/${string}` | "$default")[];
}

export interface HttpApiProps {
  readonly name: string;
  readonly description: string;
  /** By name: letters, digits and hyphens. */
  readonly handlers: Readonly<Record<string, ApiHandler>>;
  /** Steady rate limit in requests per second; requests above it get 429. */
  readonly requestsPerSecond: number;
  /** Burst limit in requests. */
  readonly burst: number;
  readonly logRetentionDays: number;
  /** Encrypts the access logs. */
  readonly encryptionKeyArn: string;
}

/** Fields of the access log: who requested what, and the result; no request content. */
const accessLogFormat = JSON.stringify({
  requestId: "$context.requestId",
  time: "$context.requestTime",
  sourceAddress: "$context.identity.sourceIp",
  method: "$context.httpMethod",
  path: "$context.path",
  route: "$context.routeKey",
  status: "$context.status",
  responseLength: "$context.responseLength",
  latencyMilliseconds: "$context.responseLatency",
  integrationStatus: "$context.integrationStatus",
  integrationError: "$context.integrationErrorMessage",
});

/** An HTTP API in front of functions: every method of a path goes to one function, which answers 405 itself. */
export class HttpApi extends Construct {
  readonly id: string;
  /** `<id>.execute-api.<region>.amazonaws.com`, without a scheme. */
  readonly domainName: string;

  constructor(scope: Construct, id: string, props: HttpApiProps) {
    super(scope, id);
    const api = new Apigatewayv2Api(this, "api", {
      name: props.name,
      description: props.description,
      protocolType: "HTTP",
    });
    this.id = api.id;
    this.domainName = `${api.id}.execute-api.${placeOf(this).region}.amazonaws.com`;

    for (const [name, handler] of Object.entries(props.handlers)) {
      const integration = new Apigatewayv2Integration(this, `${name}-integration`, {
        apiId: api.id,
        integrationType: "AWS_PROXY",
        integrationUri: handler.function.invokeArn,
        payloadFormatVersion: "2.0",
        // The longest integration timeout is 30 s (developer guide, "Quotas for HTTP APIs").
        timeoutMilliseconds: 29_000,
      });
      for (const route of handler.routes) {
        const part = route === "$default" ? "default" : route.slice(1).replaceAll("/", "-");
        new Apigatewayv2Route(this, `${part}-route`, {
          apiId: api.id,
          routeKey: route === "$default" ? route : `ANY ${route}`,
          target: `integrations/${integration.id}`,
        });
        new LambdaPermission(this, `${part}-permission`, {
          statementId: `Api-${part}`,
          action: "lambda:InvokeFunction",
          functionName: handler.function.name,
          principal: "apigateway.amazonaws.com",
          sourceArn: `${api.executionArn}/*/${route === "$default" ? route : `*${route}`}`,
        });
      }
    }

    const logs = new CloudwatchLogGroup(this, "logs", {
      // With this prefix, log delivery needs no entry in the account's log resource policy, whose length is limited.
      name: `/aws/vendedlogs/apis/${props.name}`,
      retentionInDays: props.logRetentionDays,
      kmsKeyId: props.encryptionKeyArn,
    });
    new Apigatewayv2Stage(this, "stage", {
      apiId: api.id,
      name: "$default",
      autoDeploy: true,
      defaultRouteSettings: {
        detailedMetricsEnabled: true,
        throttlingRateLimit: props.requestsPerSecond,
        throttlingBurstLimit: props.burst,
      },
      accessLogSettings: { destinationArn: logs.arn, format: accessLogFormat },
    });
  }
}
