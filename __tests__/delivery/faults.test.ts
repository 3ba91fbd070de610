import { existsSync } from "node:fs";
import { loadEnvironment } from "../../environments";
import { keys, Shell, type Typed } from "./command";
import { type Answer, type Asked, callerOf, Recorder, refusal } from "./recorder";

// Each command takes a second; on a machine that does thirty other things, a minute.
jest.setTimeout(600_000);

const { account } = loadEnvironment("development");
const notThere: Answer = { status: 404, body: "" };

let shell: Shell;
let recorder: Recorder | undefined;

beforeEach(() => {
  shell = new Shell();
});

afterEach(async () => {
  await recorder?.stop();
  recorder = undefined;
  shell.remove();
});

/** Types a command where AWS answers as the test wants it to. */
async function typeWith(
  answer: (asked: Asked) => Answer,
  command: string,
  variables: Readonly<Record<string, string>>,
): Promise<Typed & { readonly asked: readonly Asked[] }> {
  recorder = await Recorder.start(answer);
  const typed = await shell.type(command, {
    ...keys,
    AWS_ENDPOINT_URL: recorder.endpoint,
    TERRAFORM_BINARY_NAME: shell.terraformThatOnlyTellsItsVersion(),
    ...variables,
  });
  return { ...typed, asked: recorder.asked };
}

describe.each(["deploy", "bootstrap", "unlock"])("make %s", (command) => {
  const stack = { STACK: "data" };

  test("refuses the wrong account before it asks AWS anything but whose the credentials are", async () => {
    const { status, errors, asked } = await typeWith(() => callerOf("999988887777"), command, {
      ENVIRONMENT: "development",
      ...stack,
    });
    expect(status).toBe(1);
    expect(errors).toContain(
      `The credentials are of account 999988887777 (arn:aws:iam::999988887777:user/maria); the environment development is account ${account}.\n` +
        `→ Set AWS_PROFILE to a profile of account ${account}`,
    );
    expect(asked).toEqual([{ service: "sts", action: "GetCallerIdentity" }]);
  });

  test("says that there are no credentials, and asks AWS nothing", async () => {
    const { status, errors, asked } = await typeWith(() => callerOf(account), command, {
      ENVIRONMENT: "development",
      AWS_ACCESS_KEY_ID: "",
      AWS_SECRET_ACCESS_KEY: "",
      ...stack,
    });
    expect(status).toBe(1);
    expect(errors).toMatch(
      /There are no AWS credentials for development \(.+\)\.\n→ Sign in \(aws sso login\), or set AWS_PROFILE/,
    );
    expect(asked).toEqual([]);
  });

  test("names the profile that gives no credentials", async () => {
    const { status, errors, asked } = await typeWith(() => callerOf(account), command, {
      ...{ ENVIRONMENT: "development", AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "", AWS_PROFILE: "ghost" },
      ...stack,
    });
    expect(status).toBe(1);
    expect(errors).toMatch(
      /AWS_PROFILE is "ghost", and that profile has no AWS credentials for development \(.+\)\.\n→ Sign in \(aws sso login --profile ghost\)/,
    );
    expect(asked).toEqual([]);
  });

  test("says that AWS does not accept the credentials", async () => {
    const { status, errors, asked } = await typeWith(() => refusal("ExpiredToken", "The token has expired"), command, {
      ENVIRONMENT: "development",
      ...stack,
    });
    expect(status).toBe(1);
    expect(errors).toContain(
      "AWS does not accept the credentials for development (ExpiredToken: The token has expired).\n→ Sign in (aws sso login)",
    );
    expect(new Set(asked.map(({ service }) => service))).toEqual(new Set(["sts"]));
  });

  test("never takes what is for an emulator to AWS, whatever the credentials", async () => {
    const away = {
      ENVIRONMENT: "local",
      ...keys,
      ...stack,
      TERRAFORM_BINARY_NAME: shell.terraformThatOnlyTellsItsVersion(),
    };
    const without = await shell.type(command, away);
    expect(without.status).toBe(1);
    expect(without.errors).toContain("The environment local is for an emulator, but AWS_ENDPOINT_URL");
    expect(without.errors).toContain('→ make up, then: eval "$(make -s env)"');
    const elsewhere = await shell.type(command, { ...away, AWS_ENDPOINT_URL: "https://sts.eu-west-1.amazonaws.com" });
    expect(elsewhere.status).toBe(1);
    expect(elsewhere.errors).toContain(
      'AWS_ENDPOINT_URL is "https://sts.eu-west-1.amazonaws.com"; expected an address of this machine.',
    );
  });

  test("knows its environments and stacks, and asks AWS nothing for others", async () => {
    const { status, errors, asked } = await typeWith(() => callerOf(account), command, { ENVIRONMENT: "staging" });
    expect(status).toBe(1);
    expect(errors).toContain('ENVIRONMENT is "staging"; expected one of local, development, production.');
    const other = await shell.type(command, { ENVIRONMENT: "development", STACK: "webiste-test" });
    expect(other.status).toBe(1);
    expect(other.errors).toContain('STACK is "webiste-test"; expected one of state, governance, network, data,');
    // What is to be typed again is what was typed, not another command.
    expect(other.errors).toContain("\n→ Choose one of these, and run it again.");
    expect(asked).toEqual([]);
  });

  test("says which terraform it needs, and asks AWS nothing without", async () => {
    const variables = { ENVIRONMENT: "development", ...stack, ...keys };
    const { errors, asked } = await typeWith(() => callerOf(account), command, {
      ...variables,
      TERRAFORM_BINARY_NAME: "no-terraform",
    });
    expect(errors).toContain(
      'There is no program "no-terraform" on the PATH, and a deployment needs it.\n→ Install Terraform 1.10',
    );
    expect(asked).toEqual([]);
    const old = shell.terraformThatOnlyTellsItsVersion("1.9.8");
    const { errors: tooOld } = await shell.type(command, { ...variables, TERRAFORM_BINARY_NAME: old });
    expect(tooOld).toContain(`${old} is Terraform 1.9.8; expected 1.10 or later, which can lock a state in S3.`);
    const { errors: another } = await shell.type(command, { ...variables, TERRAFORM_BINARY_NAME: "/bin/true" });
    expect(another).toContain("/bin/true does not print its version as terraform does");
  });
});

test("make deploy says how to make the state bucket, and writes nothing", async () => {
  const { status, errors, asked } = await typeWith(
    ({ service }) => (service === "sts" ? callerOf(account) : notThere),
    "deploy",
    { ENVIRONMENT: "development", STACK: "data" },
  );
  expect(status).toBe(1);
  expect(errors).toContain(
    `The state bucket of development (account ${account}, eu-west-1) does not exist.\n→ make bootstrap ENVIRONMENT=development`,
  );
  expect(asked.map(({ service, action }) => `${service} ${action.split(" ")[0] ?? ""}`)).toEqual([
    "sts GetCallerIdentity",
    "s3 HEAD",
  ]);
});

test.each(["deploy", "bootstrap"])(
  "make %s leaves the state bucket to the environment that has it, and begins nothing",
  async (command) => {
    const tags = "<Tagging><TagSet><Tag><Key>Environment</Key><Value>staging</Value></Tag></TagSet></Tagging>";
    const terraform = shell.terraformThatOnlyTellsItsVersion();
    const { status, errors, asked } = await typeWith(
      ({ service }) => (service === "sts" ? callerOf(account) : { status: 200, body: tags }),
      command,
      { ENVIRONMENT: "development", STACK: "state", TERRAFORM_BINARY_NAME: terraform },
    );
    expect(status).toBe(1);
    expect(errors).toContain(
      `The state bucket acme-state-${account}-eu-west-1 belongs to the environment staging: two environments in account ${account}, eu-west-1, would both own it.\n` +
        "→ Give development another account or region (environments/development.ts), and run it again.",
    );
    expect(asked.filter(({ action }) => !/^(GetCallerIdentity|HEAD|GET) ?/.test(action))).toEqual([]);
    expect(existsSync(`${terraform}.asked`)).toBe(false);
  },
);

test("make deploy says that the bucket's name is another account's", async () => {
  const { errors } = await typeWith(
    ({ service }) => (service === "sts" ? callerOf(account) : { status: 403, body: "" }),
    "deploy",
    { ENVIRONMENT: "development" },
  );
  expect(errors).toContain(
    `S3 denied access to the state bucket acme-state-${account}-eu-west-1: these credentials lack s3:ListBucket, or the bucket belongs to another account.`,
  );
});

test("make unlock needs a stack", async () => {
  const { status, errors } = await shell.type("unlock", { ENVIRONMENT: "development" });
  expect(status).toBe(1);
  expect(errors).toContain(
    "STACK is missing: each stack has its own lock.\n→ make unlock ENVIRONMENT=development STACK=data",
  );
});

test.each([
  ["APPROVE", "maybe", 'expected "yes", or nothing to be asked'],
  ["LOCK_TIMEOUT", "ten minutes", "expected the seconds to wait for a locked state, from 0 to 99999"],
  ["LOCK_TIMEOUT", "-1", "expected the seconds to wait for a locked state, from 0 to 99999"],
])("%s=%s is refused", async (name, value, expected) => {
  const { status, errors } = await shell.type("deploy", { ENVIRONMENT: "development", [name]: value });
  expect(status).toBe(1);
  expect(errors).toContain(`${name} is ${JSON.stringify(value)}; ${expected}.`);
});

test("an unknown command lists the known ones", async () => {
  const { status, errors } = await shell.type("destroy");
  expect(status).toBe(1);
  expect(errors).toMatch(/"destroy" is not a command; expected one of bootstrap, .*deploy, .*unlock\./);
});

test("while any of this is wrong, terraform is only asked for its version", async () => {
  const terraform = shell.terraformThatOnlyTellsItsVersion();
  await typeWith(() => callerOf("999988887777"), "deploy", {
    ENVIRONMENT: "development",
    TERRAFORM_BINARY_NAME: terraform,
  });
  expect(existsSync(`${terraform}.asked`)).toBe(false);
});
