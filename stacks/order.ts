/** Things that wait for one another, so that there is no order of them. */
export class CircularDependency extends Error {
  override readonly name = "CircularDependency";

  /** @param circle each name depends on the one after it; the last is the first again */
  constructor(readonly circle: readonly string[]) {
    super(`they depend on one another: ${circle.join(" → ")}`);
  }
}

/**
 * Names in an order in which each stands after those on which it depends; apart from that they keep their order.
 *
 * @param dependenciesOf The names on which one depends; they come before it, whether or not `names` has them.
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
