/**
 * Lets so many pieces of work run at once, and the others wait: a provider takes a processor and half a gigabyte while
 * it plans.
 */
export function pool(atOnce: number): <Result>(work: () => Promise<Result>) => Promise<Result> {
  const waiting: (() => void)[] = [];
  let free = atOnce;
  return async (work) => {
    if (free > 0) {
      free -= 1;
    } else {
      await new Promise<void>((go) => waiting.push(go));
    }
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) {
        next();
      } else {
        free += 1;
      }
    }
  };
}
