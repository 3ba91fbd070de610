/** Makes Jest run test files in the order in which `TEST_ORDER` lists them, for `run.ts`: the quickest first. */
module.exports = class {
  sort(tests) {
    const order = process.env.TEST_ORDER.split("\n");
    return [...tests].sort((one, other) => order.indexOf(one.path) - order.indexOf(other.path));
  }

  cacheResults() {}
};
