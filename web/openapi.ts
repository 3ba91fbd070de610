/**
 * The API's description (OpenAPI 3.1), which the website publishes as `/openapi.json`. It is made from the feature
 * contract and the contact form's limits, which the handlers use, too. `make fuzz` tests the API by it, and
 * `__tests__/web/openapi.test.ts` compares the handlers with it.
 */
import { camelCase, type Feature, features, isOptional, label, yearsBeyondRings } from "../survey/feature-contract";
import { contactLimits } from "./contact-limits";

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = Readonly<Record<string, Json>>;

function schemaOf(feature: Feature): JsonObject {
  if (feature.type === "category") {
    const meaning = Object.entries(feature.categories).map(([value, name]) => `${value}: ${name}`);
    return {
      type: "string",
      enum: Object.keys(feature.categories),
      title: feature.label,
      description: `${feature.description}. ${meaning.join(", ")}`,
    };
  }
  return {
    type: "number",
    minimum: feature.minimum,
    maximum: feature.maximum,
    title: feature.label,
    description: `${feature.description}, in ${feature.unit}`,
  };
}

const fields = features.map((feature) => [camelCase(feature.name), feature] as const);

const animal: JsonObject = {
  type: "object",
  properties: Object.fromEntries(fields.map(([name, feature]) => [name, schemaOf(feature)])),
  required: fields.filter(([, feature]) => !isOptional(feature)).map(([name]) => name),
  additionalProperties: false,
};

const exampleAnimal: JsonObject = Object.fromEntries(
  fields.map(([name, feature]) => [
    name,
    feature.type === "number" ? feature.example : (Object.keys(feature.categories)[0] ?? ""),
  ]),
);

const years = (description: string): JsonObject => ({ type: "number", description });

const prediction: JsonObject = {
  type: "object",
  properties: {
    rings: { type: "number", description: `${label.description}, to the tenth` },
    age: {
      type: "object",
      properties: {
        years: years(`The age in years: the rings plus ${yearsBeyondRings}`),
        low: years("The least age within the range"),
        high: years("The greatest age within the range"),
        confidence: {
          type: "number",
          exclusiveMinimum: 0,
          exclusiveMaximum: 1,
          description: "The share of animals whose age is within the range",
        },
      },
      required: ["years", "low", "high", "confidence"],
      additionalProperties: false,
    },
    model: { type: "string", minLength: 1, description: "The model that calculated" },
  },
  required: ["rings", "age", "model"],
  additionalProperties: false,
};

const text = (maximum: number, description: string, more: JsonObject = {}): JsonObject => ({
  type: "string",
  minLength: 1,
  maxLength: maximum,
  description: `${description}. White space around it is removed; characters count as UTF-16 code units`,
  ...more,
});

const message: JsonObject = {
  type: "object",
  properties: {
    name: text(contactLimits.name, "Who writes, on one line"),
    email: text(contactLimits.email, "Where an answer goes", { format: "email" }),
    message: text(contactLimits.message, "The message, in lines if need be"),
    website: { description: "Left empty by people, who don't see it: a message with anything in it is not kept" },
  },
  required: ["name", "email", "message"],
  additionalProperties: false,
};

const exampleMessage: JsonObject = {
  name: "Ama Owusu",
  email: "ama@example.com",
  message: "How do I measure the height of a large animal?",
};

const receipt: JsonObject = {
  type: "object",
  properties: { id: { type: "string", format: "uuid", description: "The same for the same message on the same day" } },
  required: ["id"],
  additionalProperties: false,
};

const problem: JsonObject = {
  type: "object",
  description: "Problem Details for HTTP APIs (RFC 9457)",
  properties: {
    type: { type: "string", format: "uri-reference" },
    title: { type: "string", minLength: 1 },
    status: { type: "integer", minimum: 400, maximum: 599 },
    detail: { type: "string", minLength: 1 },
    errors: {
      type: "array",
      description: "What is wrong with which field; nothing of a personal message is repeated",
      items: {
        type: "object",
        properties: {
          field: { type: "string", description: "Empty for the body as a whole" },
          value: { type: ["string", "number", "boolean", "null"], description: "What was sent, shortened" },
          expected: { type: "string", minLength: 1 },
        },
        required: ["field", "expected"],
        additionalProperties: false,
      },
    },
  },
  required: ["type", "title", "status", "detail"],
  additionalProperties: false,
};

const reference = (name: string): JsonObject => ({ $ref: `#/components/schemas/${name}` });

function answer(description: string, headers: JsonObject = {}, more: JsonObject = {}): JsonObject {
  return {
    description,
    ...(Object.keys(headers).length > 0 ? { headers } : {}),
    content: { "application/problem+json": { schema: reference("Problem") }, ...more },
  };
}

const header = (description: string, schema: JsonObject): JsonObject => ({ description, required: true, schema });
const later = (description: string): JsonObject => ({
  "Retry-After": header(description, { type: "integer", minimum: 1 }),
});

/** What API Gateway itself answers, before it calls a function. */
const gatewaysWords: JsonObject = {
  "application/json": {
    schema: { type: "object", properties: { message: { type: "string" } }, required: ["message"] },
  },
};

function refusals(field: string): JsonObject {
  return {
    "400": answer(`The body is not JSON, or a field of the ${field} is wrong: \`errors\` names each`),
    "405": answer("The address takes POST alone", { Allow: header("The methods", { type: "string" }) }),
    "413": answer("The body is too large", {}, gatewaysWords),
    "415": answer("The body has to be application/json in UTF-8, not compressed"),
    "429": answer("Too many requests: wait a while, as long as Retry-After says where it is there", {}, gatewaysWords),
  };
}

function post(summary: string, id: string, body: string, example: Json, responses: JsonObject): JsonObject {
  return {
    post: {
      summary,
      operationId: id,
      requestBody: {
        required: true,
        content: { "application/json": { schema: reference(body), examples: { usual: { value: example } } } },
      },
      responses,
    },
  };
}

/** The document, the same for the same contract. */
export function openApiDocument(): JsonObject {
  return {
    openapi: "3.1.0",
    info: {
      title: "The age of an abalone",
      summary: "Tells the age of an abalone from its measures, and takes messages to its operators.",
      version: "1.0.0",
      license: { name: "Apache 2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/", description: "Where this document is" }],
    paths: {
      "/api/predict": post("Tell the age of an animal", "predict", "Animal", exampleAnimal, {
        "200": {
          description: "The age, with the range in which it lies",
          content: { "application/json": { schema: reference("Prediction") } },
        },
        ...refusals("animal"),
        "503": answer("The model can't answer at the moment", later("Seconds after which to try again")),
      }),
      "/api/contact": post("Write to us", "contact", "Message", exampleMessage, {
        "202": {
          description: "The message is stored, and mailed later",
          content: { "application/json": { schema: reference("Receipt") } },
        },
        ...refusals("message"),
        "503": answer("The message could not be stored", later("Seconds after which to try again")),
      }),
    },
    components: {
      schemas: { Animal: animal, Prediction: prediction, Message: message, Receipt: receipt, Problem: problem },
    },
  };
}

/** The published file. */
export const openApiFile = "openapi.json";

/** Its content. */
export function openApiJson(): string {
  return `${JSON.stringify(openApiDocument(), undefined, 2)}\n`;
}
