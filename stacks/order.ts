/** Thrown when names depend on one another, so that no order exists. */
export class CircularDependency extends Error {
  override readonly name = "CircularDependency";

  /** @param circle each name depends on the next one; the last is the first again */
  constructor(readonly circle: readonly string[]) {
    super(`they depend on one another: ${circle.join(" → ")}`);
  }
}

/**
 * Sorts names so that each comes after its dependencies. Otherwise names keep their order.
 * @param dependenciesOf The names on which one depends; they come before it, even if `names` lacks them.
 * @throws CircularDependency when names depend on one another.
 */
export function dependenciesFirst<Name extends string>(
  names: Iterable<Name>,
  dependenciesOf: (name: Name) => Iterable<Name>,
): Name[] {
  const order = new Set<Name>();
  const visit = (name: Name, path: readonly Name[]): void => {
    if (path.includes(name)) {
      throw new CircularDependency([...path.slice(path.indexOf(name)), name]);
    }
    if (!order.has(name)) {
      for (const dependency of dependenciesOf(name)) {
        visit(dependency, [...path, name]);
      }
      order.add(name);
    }
  };
  for (const name of names) {
    visit(name, []);
  }
  return [...order];
}
