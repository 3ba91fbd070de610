import eslint from "@eslint/js";
import prettier from "eslint-config-prettier";
import { readdirSync } from "node:fs";
import tseslint from "typescript-eslint";

const barrels = ["cdktf-cli", "@cdktf/provider-aws", "@cdktf/provider-docker"].map((name) => ({
  name,
  message: `Import the one file that you need (${name}/lib/…): the barrel costs 5 CPU seconds and 500 MB at every synth.`,
}));

/** A package is used by its name, which leads to what it exports. */
const packagePaths = {
  regex: "^(\\.\\./)+packages/",
  message: 'Import a package by its name, such as "sagemaker-local/protocol".',
};

/** Of a handler, what deploys it reads what the handler declares of itself: its code runs in Lambda alone. */
const handlerCode = "handlers(?!/[a-z-]+/declaration$)";

/**
 * Folders import downwards only: each entry lists what the folder on its left must never import, as the beginning of a regular expression that goes on
 * behind the folder's name.
 */
const forbiddenFolders = {
  survey: ["aws-services", "environments", "stacks", "modules", "policies", "handlers", "local"],
  environments: ["aws-services", "stacks", "modules", "policies", "handlers", "local"],
  modules: ["environments", "stacks", "policies", handlerCode, "local"],
  policies: ["environments", "stacks", "modules", "handlers", "local"],
  stacks: [handlerCode, "local"],
  // Of the website, the functions know the limits that both promise, and nothing else.
  handlers: ["aws-services", "environments", "stacks", "modules", "policies", "local", "web(?!/contact-limits$)"],
  web: ["aws-services", "environments", "stacks", "modules", "policies", "handlers", "local"],
  local: ["handlers", "delivery"],
  delivery: ["handlers", "local"],
};

/** The folders at the top: what is known of AWS, and a package with its tests, import nothing of them. */
const rooms = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
  .map(({ name }) => name);

/** One form of JSDoc: no empty line stands before a tag, and no hyphen between a parameter and what is said of it. */
const docForm = {
  meta: { type: "layout", fixable: "whitespace" },
  create: (context) => ({
    Program() {
      for (const comment of context.sourceCode.getAllComments().filter(({ value }) => value.startsWith("*"))) {
        const wanted = comment.value.replace(/\n *\*(?=\n *\* @)/g, "").replace(/(@param [\w.]+) - /g, "$1 ");
        if (wanted !== comment.value) {
          context.report({
            loc: comment.loc,
            message: "Leave out the empty line before a tag, and the hyphen behind a parameter's name.",
            fix: (fixer) => fixer.replaceText(comment, `/*${wanted}*/`),
          });
        }
      }
    },
  }),
};

export default tseslint.config(
  { ignores: ["node_modules", "dist", "cdktf.out", ".local", ".venv", "**/*.js", "**/*.mjs"] },
  eslint.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-restricted-imports": ["error", { paths: barrels, patterns: [packagePaths] }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/consistent-type-definitions": ["error", "interface"],
      "@typescript-eslint/naming-convention": ["error", { selector: "typeLike", format: ["PascalCase"] }],
      // A construct registers itself with its scope, so `new Something(scope, …)` as a statement is how CDKTF is written.
      "no-new": "off",
      "@typescript-eslint/no-extraneous-class": "off",
    },
  },
  ...Object.entries({ ...forbiddenFolders, "aws-services": rooms, packages: rooms }).map(([folder, forbidden]) => ({
    files: [`${folder}/**/*.ts`],
    rules: {
      "@typescript-eslint/no-restricted-imports": [
        "error",
        {
          paths: barrels,
          patterns: [
            packagePaths,
            ...forbidden.map((name) => ({
              regex: `^(\\.\\./)+${name}(/|$)`,
              message: `${folder}/ must not import ${name.replace(/\(.*/, "")}/ (see "The house plan" in docs/architecture.md).`,
            })),
          ],
        },
      ],
    },
  })),
  {
    // A stack loads a declaration at synth: with it comes nothing of the handler, and none of its packages.
    files: ["handlers/*/declaration.ts"],
    ignores: ["handlers/shared/**"],
    rules: {
      "@typescript-eslint/no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              regex: "^(?!\\.\\./shared/(declaration|environment|evaluation)$|\\.\\./\\.\\./survey/zod$)",
              message:
                "A declaration imports only checks of variables: handlers/shared/{declaration,environment,evaluation}.ts and survey/zod.ts.",
            },
          ],
        },
      ],
    },
  },
  {
    files: ["__tests__/**/*.ts", "packages/*/__tests__/**/*.ts"],
    rules: {
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-call": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-return": "off",
    },
  },
  prettier,
  {
    plugins: { house: { rules: { "doc-form": docForm } } },
    rules: {
      curly: "error",
      "house/doc-form": "error",
      // Prettier holds the code at 120 characters and leaves comments alone; examples of code in them may be longer.
      "max-len": [
        "error",
        { code: 1000, comments: 120, ignoreUrls: true, ignorePattern: "^ +\\* {5,}|eslint-disable" },
      ],
      "no-restricted-syntax": [
        "error",
        {
          selector:
            "ImportDeclaration[source.value=/^node:/] > :matches(ImportNamespaceSpecifier, ImportDefaultSpecifier)",
          message: 'Import what you use by its name: import { readFileSync } from "node:fs".',
        },
      ],
    },
  },
);
