import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { root } from "../../local/platform/instance";

/** A checkout in which nothing was installed yet. */
let checkout: string;

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), "checkout-"));
  for (const name of ["Makefile", "package.json", "package-lock.json", "local/setup"]) {
    cpSync(join(root, name), join(checkout, name), { recursive: true });
  }
});

afterEach(() => {
  rmSync(checkout, { recursive: true, force: true });
});

/** The programs that install something or run the platform, each replaced by a script. */
function replaceTools(script: (name: string) => string): string {
  const tools = join(checkout, "tools");
  mkdirSync(tools, { recursive: true });
  for (const name of ["npm", "python3", "node", "tsx", "uv"]) {
    writeFileSync(join(tools, name), `#!/bin/sh\n${script(name)}\n`, { mode: 0o755 });
  }
  return tools;
}

function make(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  const tools = replaceTools((name) => `echo "${name} $*" >> called\nexit 1`);
  return spawnSync("make", words, {
    cwd: checkout,
    encoding: "utf8",
    env: { PATH: `${tools}:${process.env.PATH ?? ""}` },
  });
}

describe("in a fresh checkout", () => {
  test.each([
    ["survey", 2],
    ["data-workflow", 2],
    ["down", 0],
    ["status", 2],
    ["model-card", 2],
    ["access", 2],
    ["logs", 0],
    ["clean", 0],
  ])("make %s says that nothing runs, and installs nothing", (target, exit) => {
    const { status, stdout } = make("--silent", target);
    expect(status).toBe(exit);
    expect(stdout).toBe("Nothing runs: there is no platform in .local; make up makes one.\n");
    expect(readdirSync(checkout).sort()).toEqual(["Makefile", "local", "package-lock.json", "package.json", "tools"]);
  });

  test("make env fails with the reason on standard error, so that eval gets nothing", () => {
    const { status, stdout, stderr } = make("--silent", "env");
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("Nothing runs");
    expect(existsSync(join(checkout, "called"))).toBe(false);
  });

  test("the folder of PLATFORM_DIRECTORY is named, and left alone if it isn't a platform's", () => {
    mkdirSync(join(checkout, "my thesis"));
    writeFileSync(join(checkout, "my thesis", "thesis.txt"), "three years of work");
    expect(make("clean", "PLATFORM_DIRECTORY=my thesis").stdout).toContain("there is no platform in my thesis;");
    expect(existsSync(join(checkout, "my thesis", "thesis.txt"))).toBe(true);
  });
});

test("make down installs what it takes to stop a platform whose packages were deleted", () => {
  mkdirSync(join(checkout, ".local"));
  writeFileSync(join(checkout, ".local/.acme-platform"), "");
  expect(make("down").stderr).toContain("Installing the Node packages");
  expect(existsSync(join(checkout, "called"))).toBe(true);
});

test("Node's and Python's packages are installed side by side, and goals one after the other", () => {
  const waiting =
    "for second in $(seq 30); do [ ! -e python3-called ] || { touch met; exit 1; }; sleep 1; done; exit 1";
  const tools = replaceTools((name) => (name === "npm" ? waiting : 'touch python3-called; [ "$1" = -c ]'));
  const env = { PATH: `${tools}:${process.env.PATH ?? ""}` };
  for (const requirements of ["local/emulator/requirements.txt", "model-image/requirements.txt"]) {
    cpSync(join(root, requirements), join(checkout, requirements));
  }
  spawnSync("make", ["install"], { cwd: checkout, env });
  expect(existsSync(join(checkout, "met"))).toBe(true);
  const { stdout } = spawnSync("make", ["--dry-run", "status", "help"], { cwd: checkout, env, encoding: "utf8" });
  expect(stdout.trim().split("\n")[0]).toContain("Nothing runs");
});

test("only the packages that are allowed to run scripts of their own", () => {
  const tools = replaceTools((name) => `echo "${name} $*" >> called; [ ${name} != node ] || echo esbuild node`);
  spawnSync("make", ["install"], { cwd: checkout, env: { PATH: `${tools}:${process.env.PATH ?? ""}` } });
  const lines = readFileSync(join(checkout, "called"), "utf8").split("\n");
  const npm = lines.filter((line) => line.startsWith("npm ") && !line.includes("config"));
  expect(npm.map((line) => line.replaceAll(/ --\S+/g, ""))).toEqual(["npm ci", "npm rebuild esbuild node"]);
  expect(npm[0]).toMatch(/ --ignore-scripts$/);
});

test("make clean removes what make synth wrote; that of another platform leaves it", () => {
  for (const folder of ["cdktf.out/stacks", "dist"]) {
    mkdirSync(join(checkout, folder), { recursive: true });
  }
  make("clean", "PLATFORM_DIRECTORY=other");
  expect(existsSync(join(checkout, "cdktf.out/stacks"))).toBe(true);
  make("clean");
  expect([existsSync(join(checkout, "cdktf.out")), existsSync(join(checkout, "dist"))]).toEqual([false, false]);
});

describe("what the caller gives reaches the program as typed, and no shell parses it", () => {
  const typed = `a"b $HOME $(touch run) \`touch run\` $$ \${X} 'q'; touch run # é \\ *.csv &`;
  const makefile = readFileSync(join(root, "Makefile"), "utf8");
  /** Each target with the variables that its line of help names. */
  const variables = [...makefile.matchAll(/^([a-z-]+):.*## .*\[(.*)\]$/gm)].flatMap(([, target = "", options = ""]) =>
    [...options.matchAll(/\b([A-Z][A-Z_]+)=/g)].map(([, name = ""]) => ({ target, name })),
  );

  beforeEach(() => {
    mkdirSync(join(checkout, ".local"));
    writeFileSync(join(checkout, ".local/.acme-platform"), "");
    writeFileSync(join(checkout, "local/platform.ts"), "");
    mkdirSync(join(checkout, "tools"));
    symlinkSync(join(root, "node_modules/.bin/esbuild"), join(checkout, "tools/esbuild"));
  });

  /** As after an installation: make takes these as up to date. */
  const installed = [...makefile.matchAll(/^(\S*\.installed\S*):/gm)].flatMap(([, file = ""]) => ["-o", file]);

  /** Runs a target on programs that note what they are given. */
  function run(target: string, words: string[], environment: NodeJS.ProcessEnv): { given: string[]; words: string[] } {
    const tools = replaceTools(() => 'env -0 > given; printf "%s\\0" "$@" > words');
    const { status, stderr } = spawnSync("make", [target, ...installed, ...words], {
      cwd: checkout,
      encoding: "utf8",
      env: { PATH: `${tools}:${process.env.PATH ?? ""}`, ...environment },
    });
    expect([status, stderr]).toEqual([0, ""]);
    expect(existsSync(join(checkout, "run"))).toBe(false);
    const read = (name: string): string[] => readFileSync(join(checkout, name), "utf8").split("\0");
    return { given: read("given"), words: read("words") };
  }

  test("the help names the variables", () => {
    expect(new Set(variables.map(({ name }) => name)).size).toBeGreaterThan(15);
  });

  test.each(variables.filter(({ name }) => name !== "PARTS"))("make $target $name=…", ({ target, name }) => {
    expect(run(target, [`${name}=${typed}`], {}).given).toContain(`${name}=${typed}`);
    expect(run(target, [], { [name]: typed }).given).toContain(`${name}=${typed}`);
  });

  test("PLATFORM_DIRECTORY", () => {
    const directory = typed.replace("/", "");
    expect(make("--silent", "logs", `PLATFORM_DIRECTORY=${directory}`).stdout).toContain(
      `there is no platform in ${directory};`,
    );
    mkdirSync(join(checkout, directory));
    writeFileSync(join(checkout, directory, ".acme-platform"), "");
    expect(run("logs", [`PLATFORM_DIRECTORY=${directory}`], {}).given).toContain(`PLATFORM_DIRECTORY=${directory}`);
    expect(run("logs", [], { PLATFORM_DIRECTORY: directory }).words).toContain("logs");
  });

  test("PARTS, which are words", () => {
    expect(run("bench", [`PARTS=synth $HOME "a`], {}).words.slice(-4)).toEqual(["synth", "$HOME", '"a', ""]);
  });

  const others = {
    ...{
      npm_config_omit: "dev",
      NPM_CONFIG_IGNORE_SCRIPTS: "true",
      npm_config_global: "true",
      npm_config_prefix: "/other",
    },
    ...{ NODE_ENV: "production", NODE_PATH: "/other", BASH_ENV: "/other" },
    ...{
      PIP_USER: "1",
      PIP_TARGET: "/other",
      PIP_PREFIX: "/other",
      PIP_NO_BINARY: ":all:",
      PIP_REQUIRE_VIRTUALENV: "1",
    },
    ...{
      UV_PYTHON: "3.9",
      UV_SYSTEM_PYTHON: "1",
      UV_PROJECT_ENVIRONMENT: "/other",
      UV_NO_BINARY: "1",
      UV_EXCLUDE_NEWER: "2020",
    },
    ...{
      VIRTUAL_ENV: "/other",
      CONDA_PREFIX: "/other",
      PYTHONPATH: "/other",
      PYTHONHOME: "/other",
      PYTHONDONTWRITEBYTECODE: "1",
      GIT_DIR: "/other",
    },
  };
  const ways = {
    ...{
      npm_config_registry: "http://a",
      NPM_CONFIG_HTTPS_PROXY: "http://b",
      npm_config_cafile: "/c",
      npm_config_cache: "/d",
    },
    ...{ npm_config__auth: "e", NODE_EXTRA_CA_CERTS: "/g" },
    ...{
      PIP_INDEX_URL: "http://a",
      PIP_CERT: "/c",
      PIP_CONFIG_FILE: "/h",
      PIP_CACHE_DIR: "/d",
      PIP_DEFAULT_TIMEOUT: "60",
    },
    ...{
      UV_INDEX_ACME_PASSWORD: "i",
      UV_DEFAULT_INDEX: "http://a",
      UV_CACHE_DIR: "/d",
      UV_OFFLINE: "1",
      UV_LINK_MODE: "copy",
    },
    ...{ UV_PYTHON_INSTALL_DIR: "/j", UV_SYSTEM_CERTS: "true", SSL_CERT_FILE: "/c", HTTPS_PROXY: "http://b" },
  };

  test("settings for other projects have no effect, those for downloads are used", () => {
    const { given } = run("logs", [], { ...others, ...ways });
    const names = given.map((line) => line.slice(0, line.indexOf("=")));
    expect(Object.keys(others).filter((name) => names.includes(name))).toEqual([]);
    expect(Object.entries(ways).filter(([name, value]) => !given.includes(`${name}=${value}`))).toEqual([]);
  });
});

test("no .npmrc of the user's changes what npm installs", () => {
  const settings = {
    ...{ omit: ["dev", ""], include: ["", "dev,optional,peer"], global: [true, false], "dry-run": [true, false] },
    ...{ "ignore-scripts": [true, false], "package-lock": [false, true], "package-lock-only": [true, false] },
    ...{ "install-strategy": ["nested", "hoisted"], "install-links": [true, false], "bin-links": [false, true] },
    ...{ "legacy-peer-deps": [true, false], "strict-peer-deps": [true, false], "engine-strict": [true, false] },
    ...{
      before: ["2020-01-01", null],
      cpu: ["mips", null],
      os: ["aix", null],
      "script-shell": ["/bin/false", "/bin/sh"],
    },
    registry: ["http://127.0.0.1:9/", "http://127.0.0.1:9/"],
  };
  writeFileSync(
    join(checkout, "npmrc"),
    Object.entries(settings)
      .map(([name, [theirs]]) => `${name}=${theirs}\n`)
      .join(""),
  );
  const { stdout } = spawnSync(join(root, "local/setup/npm"), ["config", "get", ...Object.keys(settings)], {
    cwd: checkout,
    encoding: "utf8",
    env: { ...process.env, NODE_ENV: "production", npm_config_userconfig: join(checkout, "npmrc") },
  });
  expect(stdout.trim().split("\n")).toEqual(Object.entries(settings).map(([name, [, ours]]) => `${name}=${ours}`));
});

test.each([
  ['exclude-newer = "2020-01-01"', undefined],
  ["[pip]\nsystem = true\nbreak-system-packages = true", undefined],
  ['[pip]\ntarget = "/other"', "target"],
  ['[pip]\nprefix = "/other"', "prefix"],
  ['[pip]\npython-platform = "windows"', "python-platform"],
  ["no-binary = true", "no-binary"],
])("uv installs all the same with %j in its settings, or names it", (content, refused) => {
  const configuration = join(checkout, "uv.toml");
  writeFileSync(configuration, content);
  writeFileSync(join(checkout, "requirements.txt"), "");
  const folder = join(checkout, "environment");
  const { status, stderr } = spawnSync(
    join(root, "local/setup/uv-sync"),
    [folder, ">=3.11", join(checkout, "requirements.txt")],
    { cwd: root, encoding: "utf8", env: { ...process.env, UV_CONFIG_FILE: configuration } },
  );
  if (refused === undefined) {
    expect([status, existsSync(join(folder, "bin/python"))]).toEqual([0, true]);
  } else {
    expect(status).toBe(1);
    expect(stderr).toContain(`uv's settings (uv.toml) contain ${refused},`);
  }
});
