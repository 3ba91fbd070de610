import { environmentNames, loadEnvironment, requireOwnStates } from "../../environments";
import { parseEnvironment } from "../../environments/settings";

const local = loadEnvironment("local");
const { network } = loadEnvironment("production");
const parse = (changes: object): unknown => parseEnvironment({ ...local, ...changes }, "environments/local.ts");

test.each(environmentNames)("the environment %s has valid settings", (name) => {
  expect(loadEnvironment(name).name).toBe(name);
});

test.each([undefined, ""])("no name (%p) means local", (name) => {
  expect(loadEnvironment(name).name).toBe("local");
});

test.each(["prod", "Local", " local", "__proto__", "toString"])(
  "the unknown environment %p is refused with the names that exist",
  (name) => {
    expect(() => loadEnvironment(name)).toThrow(
      `ENVIRONMENT is ${JSON.stringify(name)}; expected one of local, development, production`,
    );
  },
);

test("production protects its data, and keeps two instances behind its website", () => {
  const production = loadEnvironment("production");
  expect(production.protectData).toBe(true);
  expect(production.websites.production.endpoint.instanceCount).toBeGreaterThanOrEqual(2);
});

describe("scaling", () => {
  const production = loadEnvironment("production");
  const { endpoint } = production.websites.production;
  const scaled = (changes: object, of = production): unknown =>
    parseEnvironment(
      {
        ...of,
        websites: {
          ...of.websites,
          production: { ...of.websites.production, endpoint: { ...endpoint, ...changes } },
        },
      },
      "environments/production.ts",
    );

  test("production goes from 2 to 10 instances by 750 invocations each", () => {
    expect(endpoint).toMatchObject({
      instanceCount: 2,
      scaling: { maximumInstances: 10, invocationsPerInstance: 750 },
    });
    expect(() => scaled({})).not.toThrow();
  });

  test("needs room above what a release begins with", () => {
    expect(() => scaled({ instanceCount: 10 })).toThrow(
      "websites.production.endpoint.scaling.maximumInstances is 10; expected more than instanceCount, which is 10",
    );
  });

  test("takes no burstable instances, and no emulator", () => {
    expect(() => scaled({ instanceType: "ml.t2.medium" })).toThrow(
      'websites.production.endpoint.instanceType is "ml.t2.medium"; expected no burstable type with scaling',
    );
    expect(() => scaled({}, local)).toThrow(/endpoint\.scaling is .*; expected nothing where emulated is true/);
  });
});

test("no two environments share an account", () => {
  expect(new Set(environmentNames.map((name) => loadEnvironment(name).account)).size).toBe(environmentNames.length);
});

describe("two environments in one account and region", () => {
  const [development, production] = [loadEnvironment("development"), loadEnvironment("production")];
  const { account, region } = development;

  test("are refused with both names, because they would share one state bucket", () => {
    expect(() => {
      requireOwnStates([local, development, { ...production, account, region }]);
    }).toThrow(
      `The environments development and production are both in account ${account}, ${region}, and would share one state bucket; expected a different account or region for each. ` +
        "Correct account or region in environments/development.ts or environments/production.ts.",
    );
  });

  test.each([
    ["in another region", { account, region: "eu-north-1" }],
    ["in another account", { region }],
    ["whose states Terraform Cloud keeps", { account, region, backend: { type: "cloud", organization: "acme" } }],
    ["of which one is emulated", { account, region, emulated: true }],
  ] as const)("one %s can exist beside the other", (_, changes) => {
    expect(() => {
      requireOwnStates([development, { ...production, ...changes }]);
    }).not.toThrow();
  });
});

test.each([
  ["qualityThreshold", 31, "a number from 0.1 to 10: the largest RMSE"],
  ["qualityThreshold", NaN, "a number from 0.1 to 10"],
  ["account", 123456789012, "the twelve digits of an AWS account, as text"],
  ["account", "12345678901", "the twelve digits of an AWS account"],
  ["region", "Ireland", 'an AWS region such as "eu-west-1"'],
  ["logRetentionDays", 2, "one of 1, 3, 5, 7, 14"],
  ["alarmEmail", "nobody", "an e-mail address, or nothing"],
  ["protectData", "yes", "true or false"],
  ["contactRetentionDays", 0, "a whole number from 1 to 3650"],
  ["contactRetentionDays", 1.5, "a whole number from 1 to 3650"],
  ["backend", { type: "local" }, 'an object whose type is "s3" or "cloud"'],
  ["region", undefined, "an AWS region"],
])("a faulty %s (%p) is named with its value and what was expected", (field, value, expected) => {
  const shown = value === undefined ? "missing" : JSON.stringify(value);
  const name = field === "backend" ? "backend.type" : field;
  expect(() => parse({ [field]: value })).toThrow(
    expect.objectContaining({
      message: expect.stringContaining(`${name} is ${field === "backend" ? '"local"' : shown}; expected ${expected}`),
    }),
  );
});

test.each([
  [{ metric: "loss" }, 'gate.metric is "loss"; expected one of rmse, mae, mse, r2: the metric'],
  [{ confidence: 0.93 }, "gate.confidence is 0.93; expected one of 0.8, 0.9, 0.95, 0.975, 0.99: how certain"],
  [{ confidence: 95 }, "gate.confidence is 95; expected one of 0.8"],
  [{ margin: -0.1 }, "gate.margin is -0.1; expected a number from 0 to 10: the least by which"],
  [{ preferNewer: true }, "gate.preferNewer is true; expected "],
  [{ preferNewer: {} }, "gate.preferNewer.tolerance is missing; expected a number from 0 to 10: how much worse"],
])("a faulty gate (%j) is named with what was expected", (changes, expected) => {
  expect(() => parse({ gate: { ...local.gate, ...changes } })).toThrow(expected);
});

test("a fault deep inside is named with its path", () => {
  const processing = { ...local.processing, instanceType: "t3.medium" };
  expect(() => parse({ processing })).toThrow(
    'processing.instanceType is "t3.medium"; expected a SageMaker instance type',
  );
});

test("all faults are named at once", () => {
  expect(() => parse({ region: "x", account: "y" })).toThrow(
    /settings to correct:\n {2}account is "y".*\n {2}region is "x"/,
  );
});

test("a misspelt setting is refused, not ignored", () => {
  expect(() => parse({ qualityTreshold: 2 })).toThrow(
    "qualityTreshold is not a setting: remove it, or correct its spelling",
  );
});

describe("in front of a website", () => {
  const production = loadEnvironment("production");
  const changed = (changes: object, of = production): unknown =>
    parseEnvironment(
      { ...of, websites: { ...of.websites, test: { ...of.websites.test, ...changes } } },
      `environments/${of.name}.ts`,
    );
  const domain = {
    name: "abalone.example.com",
    certificateArn: "arn:aws:acm:us-east-1:123456789012:certificate/0a",
    hostedZoneId: "Z1D633PJN98FT9",
  };

  test("a setting adds a firewall or its own name", () => {
    expect(() => changed({ firewall: { requestsPerFiveMinutes: 10 }, domain })).not.toThrow();
    expect(() => changed({ firewall: { requestsPerFiveMinutes: 9 } })).toThrow(
      "websites.test.firewall.requestsPerFiveMinutes is 9; expected a whole number from 10 to 2000000000",
    );
    expect(() => changed({ domain: { ...domain, hostedZoneId: "example.com" } })).toThrow(
      'websites.test.domain.hostedZoneId is "example.com"; expected the id of a hosted zone such as "Z1D633PJN98FT9"',
    );
  });

  test("an emulated environment has neither", () => {
    expect(() => changed({ firewall: { requestsPerFiveMinutes: 10 } }, local)).toThrow(
      /websites\.test\.firewall is .*; expected nothing where emulated is true: the emulator has no firewall/,
    );
    expect(() => changed({ domain }, local)).toThrow(
      /websites\.test\.domain\.hostedZoneId is .*; expected nothing where emulated is true: the emulator has no name server/,
    );
  });
});

test("an emulated environment can't push images", () => {
  expect(() => parse({ modelImage: { build: "docker" } })).toThrow(
    'modelImage.build is "docker"; expected "content" where emulated is true',
  );
});

test("jobs of an emulated environment can't run in a VPC", () => {
  expect(() => parse({ jobsInVpc: true })).toThrow("jobsInVpc is true; expected false where emulated is true");
});

test.each([
  ["addressRange", "10.0.0.0/24", "a private range of 65,536 addresses"],
  ["addressRange", "10.256.0.0/16", "a private range"],
  ["addressRange", "10.0.1.0/16", "a private range"],
  ["addressRange", "8.8.0.0/16", "a private range"],
  ["addressRange", "172.32.0.0/16", "a private range"],
  ["zones", ["a"], "two different availability zones"],
  ["zones", ["a", "a"], "two different availability zones"],
  ["zones", ["a", "b", "c"], "two different availability zones"],
  ["zones", "ab", "two availability zones"],
  ["natGateways", 3, "one of 0, 1, 2: the NAT gateways"],
  ["endpointZones", 0, "one of 1, 2: the zones in which endpoints"],
])("a network whose %s is %p is refused", (field, value, expected) => {
  expect(() => parse({ network: { ...network, [field]: value } })).toThrow(
    `network.${field} is ${JSON.stringify(value)}; expected ${expected}`,
  );
});

test("a zone is named by its letter, not by its whole name", () => {
  expect(() => parse({ network: { ...network, zones: ["eu-west-1a", "b"] } })).toThrow(
    'network.zones.0 is "eu-west-1a"; expected the letter of an availability zone',
  );
});

test.each(["10.0.0.0/16", "10.255.0.0/16", "172.16.0.0/16", "172.31.0.0/16", "192.168.0.0/16"])(
  "the private range %s is accepted",
  (addressRange) => {
    expect(() => parse({ network: { ...network, addressRange } })).not.toThrow();
  },
);

test.each(["jobsInVpc", "airflow"] as const)("%s without a network is refused", (field) => {
  const production = loadEnvironment("production");
  const without = { ...production, network: undefined, jobsInVpc: false, airflow: undefined };
  expect(() => parseEnvironment(without, "environments/production.ts")).not.toThrow();
  expect(() => parseEnvironment({ ...without, [field]: production[field] }, "environments/production.ts")).toThrow(
    `network is missing; expected the settings of the VPC, in which ${field} puts its machines`,
  );
});

test("Terraform Cloud needs only its organization; other settings are refused", () => {
  expect(() => parse({ backend: { type: "cloud", organization: "acme", project: "abalone" } })).not.toThrow();
  expect(() => parse({ backend: { type: "cloud" } })).toThrow("backend.organization is missing; expected the name of");
  expect(() => parse({ backend: { type: "s3", bucket: "mine" } })).toThrow("backend.bucket is not a setting");
});

test("a tag of the platform's own can't be set, nor more tags than an S3 object takes", () => {
  expect(() => parse({ ownerTags: { Stack: "mine" } })).toThrow('ownerTags.Stack is "mine"; expected no such tag');
  const many = Object.fromEntries(Array.from({ length: 7 }, (_, index) => [`Tag${index}`, "x"]));
  expect(() => parse({ ownerTags: many })).toThrow("expected at most 6 tags");
});

test("a certificate outside us-east-1 is refused: CloudFront would not find it", () => {
  const domain = {
    name: "abalone.example.com",
    certificateArn: "arn:aws:acm:eu-west-1:123456789012:certificate/0a-1b",
  };
  const websites = { ...local.websites, test: { ...local.websites.test, domain } };
  expect(() => parse({ websites })).toThrow("websites.test.domain.certificateArn is");
});

describe("recipients of the contact form's messages", () => {
  const contact = { to: "office@acme.example", from: "website@acme.example", identity: "domain" } as const;
  const websites = (test: object | undefined, production: object | undefined): object => ({
    test: { ...local.websites.test, contact: test },
    production: { ...local.websites.production, contact: production },
  });

  test("an identity that both stages would make is refused: an account has it once", () => {
    const other = { ...contact, from: "test@acme.example" };
    expect(() => parse({ websites: websites(other, contact) })).toThrow(
      /websites\.production\.contact\.identity is .*"existing", because the stage test creates the same identity, acme\.example/s,
    );
    for (const test of [{ ...other, identity: "existing" }, { ...other, identity: "address" }, undefined]) {
      expect(() => parse({ websites: websites(test, contact) })).not.toThrow();
    }
  });

  test.each([
    ["to", "office"],
    ["from", "website@acme.example\nBcc: all@example.com"],
    ["identity", "mine"],
  ])("a wrong %s is named", (field, value) => {
    expect(() => parse({ websites: websites(undefined, { ...contact, [field]: value }) })).toThrow(
      `websites.production.contact.${field} is`,
    );
  });
});
