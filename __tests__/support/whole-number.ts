/**
 * Reads a whole number from a variable of a command line.
 * @throws Error with the name, what was given, and what is expected
 */
export function wholeNumber(name: string, value: string, minimum: number, maximum: number): number {
  const number = /^\d{1,10}$/.test(value) ? Number(value) : NaN;
  if (!(number >= minimum && number <= maximum)) {
    throw new Error(`${name} is ${JSON.stringify(value)}; expected a whole number from ${minimum} to ${maximum}.`);
  }
  return number;
}
