import type { FeatureDefinition, FeatureGroup } from "./feature-group";
import { validationError } from "../protocol/errors";
import { parseEventTime } from "./event-time";

/** A value of a feature as PutRecord takes it. */
export interface FeatureValue {
  readonly FeatureName: string;
  readonly ValueAsString?: string | undefined;
  readonly ValueAsStringList?: readonly string[] | undefined;
}

const integral = /^[+-]?\d{1,19}$/;
const fractional = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const largest = 2n ** 63n;

function isIntegral(text: string): boolean {
  if (!integral.test(text)) {
    return false;
  }
  const value = BigInt(text.replace("+", ""));
  return value < largest && value >= -largest;
}

function isFractional(text: string): boolean {
  return fractional.test(text) && Number.isFinite(Number(text));
}

/**
 * The values of a record by feature, checked against the definitions of its group.
 * @throws ServiceError (ValidationError) naming the feature, its value and what was expected
 */
export function checkRecord(group: FeatureGroup, record: readonly FeatureValue[]): Record<string, string> {
  const { FeatureGroupName: name, RecordIdentifierFeatureName: identifier, EventTimeFeatureName: eventTime } = group;
  const definitions = new Map(group.FeatureDefinitions.map((definition) => [definition.FeatureName, definition]));
  const values: Record<string, string> = {};
  for (const { FeatureName, ValueAsString, ValueAsStringList } of record) {
    const definition = definitions.get(FeatureName);
    if (definition === undefined) {
      const known = [...definitions.keys()].join(", ");
      throw validationError(
        `Validation Error: Feature [${FeatureName}] is not defined in FeatureGroup [${name}], which has: [${known}].`,
      );
    }
    if (Object.hasOwn(values, FeatureName)) {
      throw validationError(`Validation Error: Feature [${FeatureName}] is given more than once in the record.`);
    }
    if (ValueAsStringList !== undefined) {
      throw validationError(
        `Validation Error: Feature [${FeatureName}] is not a collection: give its value as ValueAsString.`,
      );
    }
    if (ValueAsString === undefined) {
      continue;
    }
    checkType(definition, ValueAsString);
    values[FeatureName] = ValueAsString;
  }
  for (const [role, feature] of [
    ["record identifier", identifier],
    ["event time", eventTime],
  ] as const) {
    if (values[feature] === undefined || values[feature] === "") {
      throw validationError(
        `Validation Error: Feature [${feature}], the ${role} of FeatureGroup [${name}], has no value: every record needs one.`,
      );
    }
  }
  checkEventTime(group, values[eventTime] ?? "");
  return values;
}

/**
 * The moment of an event time in milliseconds since 1970.
 * @throws ServiceError (ValidationError) when the text has none of the forms that SageMaker accepts
 */
export function checkEventTime(group: FeatureGroup, text: string): number {
  const feature = group.EventTimeFeatureName;
  const type = group.FeatureDefinitions.find(({ FeatureName }) => FeatureName === feature)?.FeatureType ?? "String";
  const time = parseEventTime(text, type);
  if (time === undefined) {
    const expected =
      type === "String"
        ? "ISO 8601 with a time zone: yyyy-MM-dd'T'HH:mm:ssZ or yyyy-MM-dd'T'HH:mm:ss.SSSZ, such as 2026-03-01T09:30:00Z"
        : "seconds since 1970, such as 1772357400.5";
    throw validationError(
      `Validation Error: EventTime [${text}] of feature [${feature}] is not a valid time: expected ${expected}.`,
    );
  }
  return time;
}

function checkType(definition: FeatureDefinition, text: string): void {
  const { FeatureName, FeatureType } = definition;
  const right = FeatureType === "String" || (FeatureType === "Integral" ? isIntegral(text) : isFractional(text));
  if (!right) {
    const expected = FeatureType === "Integral" ? "a whole number of 64 bits" : "a finite number";
    throw validationError(
      `Validation Error: Value [${text.slice(0, 100)}] of feature [${FeatureName}] is not of its type, ${FeatureType}: ` +
        `expected ${expected}.`,
    );
  }
}
