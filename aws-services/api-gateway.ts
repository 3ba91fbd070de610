/** Amazon API Gateway: HTTP APIs. */
import { logDelivery } from "./cloudwatch-logs";
import { ownTagOrNone, type Permissions } from "./permissions";
import { partOfAnother, use } from "./price";
import type { ResourceType, Service } from "./resource-type";

const apis: Permissions = {
  sid: "Apis",
  service: "apigateway",
  reads: ["GET"],
  writes: ["DELETE", "PATCH", "POST", "PUT", "TagResource"],
  // An API's ARN has a number that nobody knows beforehand.
  on: ["/apis", "/apis/*", "/tags/*"],
  conditions: ownTagOrNone,
  writesAnywhere: logDelivery,
};

const part: ResourceType = { permissions: [apis], price: partOfAnother };

export const apiGateway: Service = {
  aws_apigatewayv2_api: {
    permissions: [apis],
    price: { charges: (_, { apiRequests }) => [use("apiRequest", apiRequests)] },
  },
  aws_apigatewayv2_integration: part,
  aws_apigatewayv2_route: part,
  aws_apigatewayv2_stage: part,
};
