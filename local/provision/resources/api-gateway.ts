import type { IntegrationType, ProtocolType } from "@aws-sdk/client-apigatewayv2";
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

/** API names are not unique: this tag identifies the owner. */
const ownerTag = "Provisioned";

/** All items of a paginated list. */
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
    const found = (await all((NextToken) => clients.apiGateway.getApis({ NextToken }))).find(
      ({ Tags, ApiId = "" }) => Tags?.[ownerTag] === owner && !creation.isTaken(ApiId),
    );
    const ProtocolType = list.requireText("protocol_type") as ProtocolType;
    if (found?.ProtocolType === ProtocolType && found.ApiId !== undefined) {
      await clients.apiGateway.updateApi({ ApiId: found.ApiId, ...apiSettings(list) });
      return apiAttributes(found.ApiId, found.ApiEndpoint, creation);
    }
    const { ApiId = "", ApiEndpoint } = await clients.apiGateway.createApi({
      ...apiSettings(list),
      ProtocolType,
      Tags: { ...tags, [ownerTag]: owner },
    });
    return apiAttributes(ApiId, ApiEndpoint, creation);
  },
  exists: ({ attributes, clients }) => clients.apiGateway.getApi({ ApiId: attributes.id }),
  async update(change) {
    const { attributes, arguments: list, clients, tags } = change;
    await clients.apiGateway.updateApi({ ApiId: attributes.id, ...apiSettings(list) });
    await clients.apiGateway.tagResource({
      ResourceArn: textOf(attributes, "arn"),
      Tags: { ...tags, [ownerTag]: change.owner },
    });
    return attributes;
  },
  delete: ({ attributes, clients }) => clients.apiGateway.deleteApi({ ApiId: attributes.id }),
};

function apiSettings(list: Arguments) {
  return { Name: list.requireText("name"), Description: list.text("description") };
}

function apiAttributes(id: string, endpoint: string | undefined, { region, arnOf }: Place): Attributes {
  return {
    id,
    arn: `arn:aws:apigateway:${region}::/apis/${id}`,
    api_endpoint: endpoint ?? `https://${id}.execute-api.${region}.amazonaws.com`,
    execution_arn: arnOf("execute-api", id),
  };
}

const integration: ResourceKind = {
  type: "aws_apigatewayv2_integration",
  replacedBy: ["api_id", "integration_type"],
  async create(creation) {
    const { arguments: list, clients } = creation;
    const ApiId = list.requireText("api_id");
    const settings = integrationSettings(list);
    const found = (await all((NextToken) => clients.apiGateway.getIntegrations({ ApiId, NextToken }))).find(
      ({ IntegrationId = "", IntegrationUri, IntegrationType }) =>
        IntegrationUri === settings.IntegrationUri &&
        IntegrationType === settings.IntegrationType &&
        !creation.isTaken(IntegrationId),
    );
    const { IntegrationId = "" } = found
      ? await clients.apiGateway.updateIntegration({ ApiId, IntegrationId: found.IntegrationId, ...settings })
      : await clients.apiGateway.createIntegration({ ApiId, ...settings });
    return { id: IntegrationId };
  },
  exists: ({ attributes, arguments: list, clients }) =>
    clients.apiGateway.getIntegration({ ApiId: list.requireText("api_id"), IntegrationId: attributes.id }),
  async update({ attributes, arguments: list, clients }) {
    await clients.apiGateway.updateIntegration({
      ApiId: list.requireText("api_id"),
      IntegrationId: attributes.id,
      ...integrationSettings(list),
    });
    return attributes;
  },
  delete: ({ attributes, arguments: list, clients }) =>
    clients.apiGateway.deleteIntegration({ ApiId: list.requireText("api_id"), IntegrationId: attributes.id }),
};

function integrationSettings(list: Arguments) {
  const IntegrationType = list.requireText("integration_type") as IntegrationType;
  return {
    IntegrationType,
    IntegrationUri: list.requireText("integration_uri"),
    // Functions are always called by POST; the provider sets it if the stack doesn't.
    IntegrationMethod: IntegrationType === "AWS_PROXY" ? "POST" : undefined,
    PayloadFormatVersion: list.text("payload_format_version") ?? "1.0",
    TimeoutInMillis: list.number("timeout_milliseconds"),
  };
}

const route: ResourceKind = {
  type: "aws_apigatewayv2_route",
  replacedBy: ["api_id"],
  async create(creation) {
    const { arguments: list, clients } = creation;
    const ApiId = list.requireText("api_id");
    const settings = routeSettings(list);
    const found = (await all((NextToken) => clients.apiGateway.getRoutes({ ApiId, NextToken }))).find(
      ({ RouteId = "", RouteKey }) => RouteKey === settings.RouteKey && !creation.isTaken(RouteId),
    );
    const { RouteId = "" } = found
      ? await clients.apiGateway.updateRoute({ ApiId, RouteId: found.RouteId, ...settings })
      : await clients.apiGateway.createRoute({ ApiId, ...settings });
    return { id: RouteId };
  },
  exists: ({ attributes, arguments: list, clients }) =>
    clients.apiGateway.getRoute({ ApiId: list.requireText("api_id"), RouteId: attributes.id }),
  async update({ attributes, arguments: list, clients }) {
    await clients.apiGateway.updateRoute({
      ApiId: list.requireText("api_id"),
      RouteId: attributes.id,
      ...routeSettings(list),
    });
    return attributes;
  },
  delete: ({ attributes, arguments: list, clients }) =>
    clients.apiGateway.deleteRoute({ ApiId: list.requireText("api_id"), RouteId: attributes.id }),
};

function routeSettings(list: Arguments) {
  return { RouteKey: list.requireText("route_key"), Target: list.text("target") };
}

const stage: ResourceKind = settled({
  type: "aws_apigatewayv2_stage",
  replacedBy: ["api_id", "name"],
  async put(creation) {
    const { arguments: list, clients, region, arnOf } = creation;
    const ApiId = list.requireText("api_id");
    const StageName = list.requireText("name");
    const logs = list.block("access_log_settings");
    const byDefault = list.block("default_route_settings");
    const settings = {
      ApiId,
      StageName,
      AutoDeploy: list.boolean("auto_deploy") ?? false,
      DefaultRouteSettings: byDefault && {
        DetailedMetricsEnabled: byDefault.boolean("detailed_metrics_enabled"),
        ThrottlingBurstLimit: byDefault.number("throttling_burst_limit"),
        ThrottlingRateLimit: byDefault.number("throttling_rate_limit"),
      },
      AccessLogSettings: logs && {
        DestinationArn: logs.requireText("destination_arn"),
        Format: logs.requireText("format"),
      },
    };
    const found = await unlessMissing(clients.apiGateway.getStage({ ApiId, StageName }));
    try {
      await (found ? clients.apiGateway.updateStage(settings) : clients.apiGateway.createStage(settings));
    } catch (error) {
      if (!isNamed(error, "ConflictException")) {
        throw error;
      }
      await clients.apiGateway.updateStage(settings);
    }
    const path = StageName === "$default" ? "" : StageName;
    const executionArn = arnOf("execute-api", ApiId);
    return {
      id: StageName,
      arn: `arn:aws:apigateway:${region}::/apis/${ApiId}/stages/${StageName}`,
      invoke_url: `https://${ApiId}.execute-api.${region}.amazonaws.com/${path}`,
      execution_arn: `${executionArn}/${StageName}`,
    };
  },
  exists: ({ attributes, arguments: list, clients }) =>
    clients.apiGateway.getStage({ ApiId: list.requireText("api_id"), StageName: attributes.id }),
  delete: ({ attributes, arguments: list, clients }) =>
    clients.apiGateway.deleteStage({ ApiId: list.requireText("api_id"), StageName: attributes.id }),
});

/** API Gateway v2: HTTP APIs with their integrations, routes and stages. */
export const apiGatewayKinds: readonly ResourceKind[] = [api, integration, route, stage];
