/** Amazon API Gateway: HTTP APIs. */
import { logDelivery } from "./cloudwatch-logs";
import { ownTagOrNone, type Permissions } from "./permissions";
import { partOfAnother, type ResourceType, type Service, usageCharge } from "./record";

const apis: Permissions = {
  sid: "Apis",
  reads: "apigateway:GET",
  writes: "apigateway:DELETE apigateway:PATCH apigateway:POST apigateway:PUT apigateway:TagResource",
  // An API's ARN contains a generated id.
  on: "apigateway:/apis apigateway:/apis/* apigateway:/tags/*",
  conditions: ownTagOrNone,
  writesAnywhere: logDelivery,
};

const part: ResourceType = { permissions: [apis], price: partOfAnother };

export const apiGateway: Service = {
  aws_apigatewayv2_api: {
    permissions: [apis],
    price: { charges: (_, { apiRequests }) => [usageCharge("apiRequest", apiRequests)] },
  },
  aws_apigatewayv2_integration: part,
  aws_apigatewayv2_route: part,
  aws_apigatewayv2_stage: part,
};
