import { validationException } from "../protocol/errors";

/** What SageMaker's List operations have in common. */
export interface ListRequest {
  readonly NextToken?: string | undefined;
  readonly MaxResults?: number | undefined;
  readonly NameContains?: string | undefined;
  readonly SortBy?: string | undefined;
  readonly SortOrder?: string | undefined;
  readonly StatusEquals?: string | undefined;
  readonly CreationTimeAfter?: Date | undefined;
  readonly CreationTimeBefore?: Date | undefined;
  readonly CreatedAfter?: Date | undefined;
  readonly CreatedBefore?: Date | undefined;
  readonly LastModifiedTimeAfter?: Date | undefined;
  readonly LastModifiedTimeBefore?: Date | undefined;
}

/** How a kind of resource is filtered and sorted. */
export interface ListedResource {
  readonly name: string;
  readonly created: Date;
  readonly modified?: Date | undefined;
  readonly status?: string | undefined;
  /** Value of the sort keys beyond Name, CreationTime and Status. */
  readonly sortKeys?: Readonly<Record<string, string>> | undefined;
}

/** A page of resources, and the token of the next page if there is one. */
export interface Page<Resource> {
  readonly items: readonly Resource[];
  readonly nextToken?: string | undefined;
}

interface Position {
  readonly key: string;
  readonly name: string;
}

const pageSize = 10;

/**
 * A page of `resources`, filtered and sorted as the request asks. The token names the last resource of its page, so
 * nothing is listed twice or left out when resources are made or deleted between two pages.
 * @throws ServiceError when this service did not make the token
 */
export function listPage<Resource>(
  resources: readonly Resource[],
  request: ListRequest,
  view: (resource: Resource) => ListedResource,
  defaultOrder: "Ascending" | "Descending",
): Page<Resource> {
  const sortBy = request.SortBy ?? "CreationTime";
  const direction = (request.SortOrder ?? defaultOrder) === "Ascending" ? 1 : -1;
  const positionOf = (listed: ListedResource): Position => {
    const key =
      sortBy === "Name"
        ? listed.name
        : sortBy === "Status"
          ? (listed.status ?? "")
          : (listed.sortKeys?.[sortBy] ?? listed.created.toISOString());
    return { key, name: listed.name };
  };
  const after = request.NextToken === undefined ? undefined : readToken(request.NextToken);

  const chosen = resources
    .map((resource) => ({ resource, listed: view(resource) }))
    .filter(({ listed }) => matches(listed, request))
    .map(({ resource, listed }) => ({ resource, position: positionOf(listed) }))
    .sort((a, b) => direction * compare(a.position, b.position))
    .filter(({ position }) => after === undefined || direction * compare(position, after) > 0);
  const items = chosen.slice(0, request.MaxResults ?? pageSize);
  const last = items.at(-1);
  return {
    items: items.map(({ resource }) => resource),
    nextToken:
      last !== undefined && items.length < chosen.length
        ? Buffer.from(JSON.stringify(last.position)).toString("base64url")
        : undefined,
  };
}

function matches(listed: ListedResource, request: ListRequest): boolean {
  const after = request.CreationTimeAfter ?? request.CreatedAfter;
  const before = request.CreationTimeBefore ?? request.CreatedBefore;
  const modified = listed.modified ?? listed.created;
  return (
    (request.NameContains === undefined || listed.name.toLowerCase().includes(request.NameContains.toLowerCase())) &&
    (request.StatusEquals === undefined || listed.status === request.StatusEquals) &&
    (after === undefined || listed.created >= after) &&
    (before === undefined || listed.created <= before) &&
    (request.LastModifiedTimeAfter === undefined || modified >= request.LastModifiedTimeAfter) &&
    (request.LastModifiedTimeBefore === undefined || modified <= request.LastModifiedTimeBefore)
  );
}

function compare(a: Position, b: Position): number {
  if (a.key !== b.key) {
    return a.key < b.key ? -1 : 1;
  }
  return a.name === b.name ? 0 : a.name < b.name ? -1 : 1;
}

function readToken(token: string): Position {
  try {
    const position = JSON.parse(Buffer.from(token, "base64url").toString("utf8")) as Partial<Position>;
    if (typeof position.key === "string" && typeof position.name === "string") {
      return { key: position.key, name: position.name };
    }
  } catch {
    // Refused below, like any other invalid token.
  }
  throw validationException(
    `Invalid pagination token: '${token.slice(0, 100)}'. Pass the NextToken of the last answer.`,
  );
}
