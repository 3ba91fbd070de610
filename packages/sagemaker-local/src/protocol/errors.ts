/** An error as SageMaker answers it: a code that clients dispatch on, a message for people, an HTTP status. */
export class ServiceError extends Error {
  constructor(
    /** Name of the error's shape, such as `ValidationException`. */
    readonly code: string,
    message: string,
    /** @default 400 */
    readonly status = 400,
    /** Further members of the error's shape, such as ModelError's OriginalStatusCode. */
    readonly members: Readonly<Record<string, string | number>> = {},
  ) {
    super(message);
  }
}

/**
 * The request is invalid, whatever the state of the service. SageMaker also answers it for some missing resources.
 */
export const validationException = (message: string): ServiceError => new ServiceError("ValidationException", message);

/** The resource that the request names does not exist. */
export const resourceNotFound = (message: string): ServiceError => new ServiceError("ResourceNotFound", message);

/** The name is taken, or the resource is busy. */
export const resourceInUse = (message: string): ServiceError => new ServiceError("ResourceInUse", message);

/** The request contradicts the state of the resource. */
export const conflictException = (message: string): ServiceError => new ServiceError("ConflictException", message);

/** A quota of SageMaker's is used up. */
export const resourceLimitExceeded = (message: string): ServiceError =>
  new ServiceError("ResourceLimitExceeded", message);

/** Validation failure of the two runtimes; the control plane has another name for it. */
export const validationError = (message: string): ServiceError => new ServiceError("ValidationError", message);

/** Message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Name of anything thrown, which identifies errors of the AWS SDK. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "";
}
