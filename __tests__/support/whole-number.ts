/**
 * Reads a whole number from a variable of a command line; `otherwise` where it is not set, or set to nothing.
 * @throws Error with the name, what was given, and what is expected
 */
export function wholeNumber(name: string, value = "", minimum: number, maximum: number, otherwise: number): number {
  if (value === "") {
    return otherwise;
  }
  const number = /^\d{1,10}$/.test(value) ? Number(value) : NaN;
  if (!(number >= minimum && number <= maximum)) {
    throw new Error(`${name} is ${JSON.stringify(value)}; expected a whole number from ${minimum} to ${maximum}.`);
  }
  return number;
}
