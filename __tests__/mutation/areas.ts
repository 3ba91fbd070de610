/** The areas whose tests `make mutation` tries out. */

/** Code, and the tests that must notice when it changes. */
export interface Area {
  readonly name: string;
  /** Pathspecs of git. */
  readonly sources: readonly string[];
  /** Files and folders. */
  readonly tests: readonly string[];
}

export const areas: readonly Area[] = [
  { name: "policies", sources: ["policies/"], tests: ["__tests__/policies/"] },
  {
    name: "gate",
    sources: ["handlers/evaluate-results/", "handlers/shared/evaluation.ts", "handlers/register-model/index.ts"],
    tests: ["__tests__/handlers/evaluate-results.test.ts", "__tests__/handlers/register-model.test.ts"],
  },
  { name: "provisioner", sources: ["local/provision/"], tests: ["__tests__/local/provision/"] },
  {
    name: "contract",
    sources: ["survey/", "stacks/contract.ts"],
    tests: ["__tests__/survey/", "__tests__/stacks/contract.test.ts"],
  },
];
