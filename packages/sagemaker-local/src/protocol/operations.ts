/**
 * A request after validation: it has all members that the service model requires. (The SDK's types allow undefined for
 * every required member.)
 */
export type Validated<T> = T extends string | number | boolean | Date | Uint8Array | readonly [unknown, ...unknown[]]
  ? T
  : T extends (infer Item)[]
    ? Validated<Item>[]
    : T extends object
      ? { [Key in keyof T]: object extends Pick<T, Key> ? Validated<T[Key]> : Validated<Exclude<T[Key], undefined>> }
      : T;

/** An SDK command class, with its input and, through its middleware, its output. */
type CommandClass = abstract new (...options: never[]) => {
  readonly input: object;
  resolveMiddleware(...options: never[]): (...options: never[]) => Promise<{ output: object }>;
};
type InputOf<Class extends CommandClass> = InstanceType<Class>["input"];
type OutputOf<Class extends CommandClass> = Awaited<
  ReturnType<ReturnType<InstanceType<Class>["resolveMiddleware"]>>
>["output"];

/** The answer of an operation, without what the SDK itself adds to it. */
export type Answer<Class extends CommandClass> = Omit<OutputOf<Class>, "$metadata">;

/** One operation, typed by the SDK's command of the same name. */
export type Operation<Class extends CommandClass> = (
  request: Validated<InputOf<Class>>,
) => Answer<Class> | Promise<Answer<Class>>;

/** Operations by name, each typed by the SDK package's command: `{ CreateModel: (request) => … }`. */
export type OperationTable<Package> = {
  readonly [
    Key in keyof Package as Key extends `${infer Name}Command` ? Name : never
  ]?: Package[Key] extends CommandClass ? Operation<Package[Key]> : never;
};

/** An operation as the dispatcher sees it, after its types have done their work. */
export type AnyOperation = (request: unknown) => object | Promise<object>;
