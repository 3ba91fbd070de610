import {
  type ConnectionType,
  type Cors,
  CreateApiCommand,
  CreateIntegrationCommand,
  CreateRouteCommand,
  CreateStageCommand,
  DeleteApiCommand,
  DeleteIntegrationCommand,
  DeleteRouteCommand,
  DeleteStageCommand,
  GetApiCommand,
  GetApisCommand,
  GetIntegrationCommand,
  GetIntegrationsCommand,
  GetRouteCommand,
  GetRoutesCommand,
  GetStageCommand,
  type IntegrationType,
  type LoggingLevel,
  type ProtocolType,
  type RouteSettings,
  TagResourceCommand,
  UpdateApiCommand,
  UpdateIntegrationCommand,
  UpdateRouteCommand,
  UpdateStageCommand,
} from "@aws-sdk/client-apigatewayv2";
import type { Arguments } from "../arguments";
import {
  type Attributes,
  isNamed,
  type Place,
  type ResourceKind,
  settled,
  textOf,
  unlessMissing,
} from "../resource-kind";

/** Names of APIs need not be unique: this tag tells whose one is. */
const ownerTag = "Provisioned";

/** All items of a list in pages. */
async function all<T>(
  page: (token: string | undefined) => Promise<{ readonly Items?: T[]; readonly NextToken?: string }>,
): Promise<T[]> {
  const items: T[] = [];
  let token: string | undefined;
  do {
    const { Items = [], NextToken } = await page(token);
    items.push(...Items);
    token = NextToken;
  } while (token !== undefined && token !== "");
  return items;
}

const api: ResourceKind = {
  type: "aws_apigatewayv2_api",
  replacedBy: ["protocol_type"],
  async create(creation) {
    const { arguments: list, clients, tags, owner } = creation;
    const found = (await all((NextToken) => clients.apiGateway.send(new GetApisCommand({ NextToken })))).find(
      ({ Tags, ApiId = "" }) => Tags?.[ownerTag] === owner && !creation.isTaken(ApiId),
    );
    const ProtocolType = list.requireText("protocol_type") as ProtocolType;
    if (found?.ProtocolType === ProtocolType && found.ApiId !== undefined) {
      await clients.apiGateway.send(new UpdateApiCommand({ ApiId: found.ApiId, ...apiSettings(list) }));
      return apiAttributes(found.ApiId, found.ApiEndpoint, creation);
    }
    const { ApiId = "", ApiEndpoint } = await clients.apiGateway.send(
      new CreateApiCommand({ ...apiSettings(list), ProtocolType, Tags: { ...tags, [ownerTag]: owner } }),
    );
    return apiAttributes(ApiId, ApiEndpoint, creation);
  },
  async read({ attributes, clients }) {
    return (await unlessMissing(clients.apiGateway.send(new GetApiCommand({ ApiId: attributes.id })))) && attributes;
  },
  async update(change) {
    const { attributes, arguments: list, clients, tags } = change;
    list.accept("protocol_type");
    await clients.apiGateway.send(new UpdateApiCommand({ ApiId: attributes.id, ...apiSettings(list) }));
    await clients.apiGateway.send(
      new TagResourceCommand({
        ResourceArn: textOf(attributes, "arn"),
        Tags: { ...tags, [ownerTag]: change.owner },
      }),
    );
    return attributes;
  },
  async delete({ attributes, clients }) {
    await unlessMissing(clients.apiGateway.send(new DeleteApiCommand({ ApiId: attributes.id })));
  },
};

function apiSettings(list: Arguments) {
  const cors = list.block("cors_configuration");
  return {
    Name: list.requireText("name"),
    Description: list.text("description"),
    Version: list.text("version"),
    DisableExecuteApiEndpoint: list.boolean("disable_execute_api_endpoint"),
    RouteSelectionExpression: list.text("route_selection_expression"),
    IpAddressType: list.text("ip_address_type") as "ipv4" | undefined,
    ...(cors && { CorsConfiguration: corsOf(cors) }),
  };
}

function corsOf(cors: Arguments): Cors {
  return {
    AllowCredentials: cors.boolean("allow_credentials"),
    AllowHeaders: cors.texts("allow_headers"),
    AllowMethods: cors.texts("allow_methods"),
    AllowOrigins: cors.texts("allow_origins"),
    ExposeHeaders: cors.texts("expose_headers"),
    MaxAge: cors.number("max_age"),
  };
}

function apiAttributes(id: string, endpoint: string | undefined, { account, region, partition }: Place): Attributes {
  return {
    id,
    arn: `arn:${partition}:apigateway:${region}::/apis/${id}`,
    api_endpoint: endpoint ?? `https://${id}.execute-api.${region}.amazonaws.com`,
    execution_arn: `arn:${partition}:execute-api:${region}:${account}:${id}`,
  };
}

const integration: ResourceKind = {
  type: "aws_apigatewayv2_integration",
  replacedBy: ["api_id", "integration_type", "connection_type"],
  async create(creation) {
    const { arguments: list, clients } = creation;
    const ApiId = list.requireText("api_id");
    const settings = integrationSettings(list);
    const found = (
      await all((NextToken) => clients.apiGateway.send(new GetIntegrationsCommand({ ApiId, NextToken })))
    ).find(
      ({ IntegrationId = "", IntegrationUri, IntegrationType }) =>
        IntegrationUri === settings.IntegrationUri &&
        IntegrationType === settings.IntegrationType &&
        !creation.isTaken(IntegrationId),
    );
    const { IntegrationId = "" } = found
      ? await clients.apiGateway.send(
          new UpdateIntegrationCommand({ ApiId, IntegrationId: found.IntegrationId, ...settings }),
        )
      : await clients.apiGateway.send(new CreateIntegrationCommand({ ApiId, ...settings }));
    return { id: IntegrationId };
  },
  async read({ attributes, arguments: list, clients }) {
    const found = await unlessMissing(
      clients.apiGateway.send(
        new GetIntegrationCommand({ ApiId: list.requireText("api_id"), IntegrationId: attributes.id }),
      ),
    );
    return found && attributes;
  },
  async update({ attributes, arguments: list, clients }) {
    await clients.apiGateway.send(
      new UpdateIntegrationCommand({
        ApiId: list.requireText("api_id"),
        IntegrationId: attributes.id,
        ...integrationSettings(list),
      }),
    );
    return attributes;
  },
  async delete({ attributes, arguments: list, clients }) {
    await unlessMissing(
      clients.apiGateway.send(
        new DeleteIntegrationCommand({ ApiId: list.requireText("api_id"), IntegrationId: attributes.id }),
      ),
    );
  },
};

function integrationSettings(list: Arguments) {
  return {
    IntegrationType: list.requireText("integration_type") as IntegrationType,
    IntegrationUri: list.text("integration_uri"),
    // A function is always called by POST; the provider says so where the stack doesn't.
    IntegrationMethod:
      list.text("integration_method") ?? (list.text("integration_type") === "AWS_PROXY" ? "POST" : undefined),
    IntegrationSubtype: list.text("integration_subtype"),
    ConnectionType: list.text("connection_type") as ConnectionType | undefined,
    CredentialsArn: list.text("credentials_arn"),
    Description: list.text("description"),
    PayloadFormatVersion: list.text("payload_format_version") ?? "1.0",
    RequestParameters: list.map("request_parameters"),
    TimeoutInMillis: list.number("timeout_milliseconds"),
  };
}

const route: ResourceKind = {
  type: "aws_apigatewayv2_route",
  replacedBy: ["api_id"],
  async create(creation) {
    const { arguments: list, clients } = creation;
    const ApiId = list.requireText("api_id");
    const settings = routeSettingsOf(list);
    const found = (await all((NextToken) => clients.apiGateway.send(new GetRoutesCommand({ ApiId, NextToken })))).find(
      ({ RouteId = "", RouteKey }) => RouteKey === settings.RouteKey && !creation.isTaken(RouteId),
    );
    const { RouteId = "" } = found
      ? await clients.apiGateway.send(new UpdateRouteCommand({ ApiId, RouteId: found.RouteId, ...settings }))
      : await clients.apiGateway.send(new CreateRouteCommand({ ApiId, ...settings }));
    return { id: RouteId };
  },
  async read({ attributes, arguments: list, clients }) {
    const found = await unlessMissing(
      clients.apiGateway.send(new GetRouteCommand({ ApiId: list.requireText("api_id"), RouteId: attributes.id })),
    );
    return found && attributes;
  },
  async update({ attributes, arguments: list, clients }) {
    await clients.apiGateway.send(
      new UpdateRouteCommand({
        ApiId: list.requireText("api_id"),
        RouteId: attributes.id,
        ...routeSettingsOf(list),
      }),
    );
    return attributes;
  },
  async delete({ attributes, arguments: list, clients }) {
    await unlessMissing(
      clients.apiGateway.send(new DeleteRouteCommand({ ApiId: list.requireText("api_id"), RouteId: attributes.id })),
    );
  },
};

function routeSettingsOf(list: Arguments) {
  return {
    RouteKey: list.requireText("route_key"),
    Target: list.text("target"),
    AuthorizationType: list.text("authorization_type") as "NONE" | "AWS_IAM" | undefined,
    AuthorizerId: list.text("authorizer_id"),
    OperationName: list.text("operation_name"),
  };
}

const stage: ResourceKind = settled({
  type: "aws_apigatewayv2_stage",
  replacedBy: ["api_id", "name"],
  async put(creation) {
    const { arguments: list, clients, account, region, partition } = creation;
    const ApiId = list.requireText("api_id");
    const StageName = list.requireText("name");
    const logs = list.block("access_log_settings");
    const byDefault = list.block("default_route_settings");
    const settings = {
      ApiId,
      StageName,
      AutoDeploy: list.boolean("auto_deploy") ?? false,
      Description: list.text("description"),
      DeploymentId: list.text("deployment_id"),
      StageVariables: list.map("stage_variables"),
      ...(byDefault && { DefaultRouteSettings: routeSettings(byDefault) }),
      ...(list.has("route_settings") && {
        RouteSettings: Object.fromEntries(
          list.blocks("route_settings").map((block) => [block.requireText("route_key"), routeSettings(block)]),
        ),
      }),
      ...(logs && {
        AccessLogSettings: {
          DestinationArn: logs.requireText("destination_arn"),
          Format: logs.requireText("format"),
        },
      }),
    };
    const found = await unlessMissing(clients.apiGateway.send(new GetStageCommand({ ApiId, StageName })));
    try {
      await clients.apiGateway.send(found ? new UpdateStageCommand(settings) : new CreateStageCommand(settings));
    } catch (error) {
      if (!isNamed(error, "ConflictException")) {
        throw error;
      }
      await clients.apiGateway.send(new UpdateStageCommand(settings));
    }
    const path = StageName === "$default" ? "" : StageName;
    const executionArn = `arn:${partition}:execute-api:${region}:${account}:${ApiId}`;
    return {
      id: StageName,
      arn: `arn:${partition}:apigateway:${region}::/apis/${ApiId}/stages/${StageName}`,
      invoke_url: `https://${ApiId}.execute-api.${region}.amazonaws.com/${path}`,
      execution_arn: `${executionArn}/${StageName}`,
    };
  },
  async read({ attributes, arguments: list, clients }) {
    const found = await unlessMissing(
      clients.apiGateway.send(new GetStageCommand({ ApiId: list.requireText("api_id"), StageName: attributes.id })),
    );
    return found && attributes;
  },
  async delete({ attributes, arguments: list, clients }) {
    await unlessMissing(
      clients.apiGateway.send(new DeleteStageCommand({ ApiId: list.requireText("api_id"), StageName: attributes.id })),
    );
  },
});

function routeSettings(block: Arguments): RouteSettings {
  return {
    DataTraceEnabled: block.boolean("data_trace_enabled"),
    DetailedMetricsEnabled: block.boolean("detailed_metrics_enabled"),
    LoggingLevel: block.text("logging_level") as LoggingLevel | undefined,
    ThrottlingBurstLimit: block.number("throttling_burst_limit"),
    ThrottlingRateLimit: block.number("throttling_rate_limit"),
  };
}

/** API Gateway v2: HTTP APIs with their integrations, routes and stages. */
export const apiGatewayKinds: readonly ResourceKind[] = [api, integration, route, stage];
