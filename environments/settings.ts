/**
 * The settings of one environment: what may differ between `local`, `development` and `production`, and its limits.
 *
 * An environment is a whole platform in its own account. What is the same everywhere belongs in a stack or a module.
 */
import { z } from "zod";

/** A number within limits, which the error names. */
function number(minimum: number, maximum: number, what: string): z.ZodNumber {
  const error = `a number from ${minimum} to ${maximum}: ${what}`;
  return z.number({ error }).min(minimum, { error }).max(maximum, { error });
}

function wholeNumber(minimum: number, maximum: number, what: string): z.ZodNumber {
  const error = `a whole number from ${minimum} to ${maximum}: ${what}`;
  return z.number({ error }).int({ error }).min(minimum, { error }).max(maximum, { error });
}

function text(pattern: RegExp, what: string): z.ZodString {
  return z.string({ error: what }).regex(pattern, { error: what });
}

const flag = (what: string): z.ZodBoolean => z.boolean({ error: `true or false: ${what}` });

function oneOf<const Value extends z.core.util.Literal>(values: readonly Value[], what: string): z.ZodLiteral<Value> {
  return z.literal(values, { error: `one of ${values.join(", ")}: ${what}` });
}

/** The retention times that CloudWatch Logs accepts (API reference, PutRetentionPolicy), up to two years. */
const retentionDays = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731] as const;

const instanceType = text(
  /^ml\.[a-z0-9-]+\.[a-z0-9-]+$/,
  'a SageMaker instance type such as "ml.m5.large" (aws.amazon.com/sagemaker/pricing lists those of a region)',
);

/** The tags that the platform sets on every resource. */
export const platformTags = ["Project", "Environment", "Stack", "ManagedBy"] as const;

/** A processing or training job. */
const job = z.strictObject({
  instanceType,
  /** Size of the instance's volume in GiB: 1 to 16,384 (API reference, ProcessingClusterConfig and ResourceConfig). */
  volumeGibibytes: wholeNumber(1, 16_384, "the size in GiB of the volume of a job"),
  /** Seconds after which SageMaker stops the job; the whole workflow ends after an hour. */
  maximumSeconds: wholeNumber(60, 3_600, "the seconds after which SageMaker stops a job"),
});

/** When a challenger replaces the champion; both are scored on the same held-out rows. */
const gate = z.strictObject({
  /**
   * The metric for the comparison. More is better for R², less for the others. Errors are in rings, the squared one in
   * rings squared.
   */
  metric: oneOf(["rmse", "mae", "mse", "r2"], "the metric by which champion and challenger are compared"),
  /**
   * How certain it must be that the challenger is better: the evaluation job reports the difference's distribution at
   * these quantiles.
   */
  confidence: oneOf([0.8, 0.9, 0.95, 0.975, 0.99], "how certain it must be that a challenger is better"),
  /** The least by which the challenger must be better, in the metric's unit: a tiny gain may not be worth a release. */
  margin: number(0, 10, "the least by which a challenger must be better, in the unit of the metric"),
  /**
   * Whether newer survey data favour a challenger. @default a champion stays until a challenger is shown to be better
   */
  preferNewer: z
    .strictObject({
      /** How much worse than the champion such a challenger may be, in the metric's unit, with the same confidence. */
      tolerance: number(0, 10, "how much worse a challenger with newer data may be, in the unit of the metric"),
    })
    .optional(),
});

/** A website's custom domain. */
const domain = z.strictObject({
  name: text(/^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/, 'a domain name such as "abalone.example.com"'),
  /** ARN of its certificate, in us-east-1 as CloudFront requires. */
  certificateArn: text(
    /^arn:aws[a-z-]*:acm:us-east-1:\d{12}:certificate\/[0-9a-f-]+$/,
    "the ARN of a certificate in us-east-1, as CloudFront requires",
  ),
  /** The Route 53 zone of the name. @default none: the name's owner points it at the distribution */
  hostedZoneId: text(/^Z[A-Z0-9]{1,31}$/, 'the id of a hosted zone such as "Z1D633PJN98FT9"').optional(),
});

/** A firewall in front of a website. */
const firewall = z.strictObject({
  /** Requests that one address may make in five minutes, at least 10. A visit needs some twenty. */
  requestsPerFiveMinutes: wholeNumber(10, 2_000_000_000, "the requests that one address may make in five minutes"),
});

/** The real-time endpoint of a website. */
const endpoint = z.strictObject({
  instanceType,
  instanceCount: wholeNumber(1, 20, "the instances behind an endpoint"),
  /**
   * Seconds that a release is watched at each step, before the old instances are removed: SageMaker's baking period, at
   * most an hour.
   */
  bakeSeconds: wholeNumber(0, 3_600, "the seconds that a release of an endpoint is watched before the old one goes"),
  /** @default always `instanceCount` */
  scaling: z
    .strictObject({
      /** The minimum is `instanceCount`. */
      maximumInstances: wholeNumber(2, 100, "the most instances behind an endpoint"),
      /** Target invocations per minute and instance. */
      invocationsPerInstance: number(1, 1_000_000, "the target invocations per minute and instance"),
      /** Seconds that Application Auto Scaling waits after a step; its default is 300. */
      scaleOutCooldownSeconds: wholeNumber(0, 3_600, "the seconds to wait between two scale-outs"),
      scaleInCooldownSeconds: wholeNumber(0, 3_600, "the seconds to wait between two scale-ins"),
    })
    .optional(),
});

/** The monitor for drift: visitors who ask about animals unlike those in the training data. */
const monitor = z.strictObject({
  /** Percentage of invocations to capture. */
  samplingPercent: wholeNumber(1, 100, "the share of invocations that is captured, in percent"),
  /** How often captured traffic is compared; daily jobs cost a twenty-fourth. */
  schedule: oneOf(["hourly", "daily"], "how often captured traffic is compared with the training rows"),
  /** Rows that a period needs before drift is judged. */
  minimumRows: wholeNumber(10, 1_000_000, "the rows that a period needs before drift is judged"),
});

const mailAddress = (what: string): z.ZodEmail =>
  z.email({ error: `${what}: an e-mail address such as "website@example.com"` });

/** Who receives messages from the contact form. */
const contact = z.strictObject({
  /** The receiver. While SES keeps the account in its sandbox, this address must be verified too (docs/contact.md). */
  to: mailAddress("the receiver of messages from the contact form"),
  /** Our own address, the sender; visitors' addresses are only used for replies. */
  from: mailAddress("the sender of messages from the contact form"),
  /**
   * The identity that the stack creates and SES verifies: the domain of `from`, whose owner publishes three DNS
   * records, or the address, whose owner confirms a mail. An account has each identity once per region, so only one
   * stage can create it; for the other it is `existing`.
   */
  identity: oneOf(["domain", "address", "existing"], "what SES verifies of the sender"),
});

const website = z.strictObject({
  endpoint,
  /** @default no capture and no comparison: Model Monitor is not available to new accounts (docs/monitoring.md) */
  monitor: monitor.optional(),
  /** Model latency (99th percentile) in milliseconds above which an alarm goes off; API Gateway's limit is 30 s. */
  latencyAlarmMilliseconds: wholeNumber(10, 30_000, "the model latency in ms above which an alarm goes off"),
  /** @default CloudFront's own name, which allows old TLS versions; a custom domain requires TLS 1.2 and above */
  domain: domain.optional(),
  /** @default messages from the contact form are stored but not mailed */
  contact: contact.optional(),
  /** @default none: only CloudFront's own protection and the API's limits */
  firewall: firewall.optional(),
});

const octet = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";

/** The VPC. */
const network = z.strictObject({
  /** A private range (RFC 1918) that no connected network uses. */
  addressRange: text(
    new RegExp(`^(10\\.${octet}|172\\.(1[6-9]|2\\d|3[01])|192\\.168)\\.0\\.0/16$`),
    'a private range of 65,536 addresses such as "10.0.0.0/16"',
  ),
  /** Letters of the region's zones; Airflow needs exactly two. The zone behind a letter differs between accounts. */
  zones: z
    .array(text(/^[a-z]$/, 'the letter of an availability zone such as "a"'), {
      error: 'two availability zones such as ["a", "b"]',
    })
    .check((context) => {
      if (context.value.length !== 2 || context.value[0] === context.value[1]) {
        context.issues.push({
          code: "custom",
          message: 'two different availability zones such as ["a", "b"]',
          input: context.value,
        });
      }
    }),
  /**
   * 0: the private subnets reach only AWS. 1: cheap, but if its zone fails, the others lose access too. 2: one in each
   * zone.
   */
  natGateways: oneOf([0, 1, 2], "the NAT gateways"),
  /** Number of zones with interface endpoints: AWS bills each endpoint per zone and hour. */
  endpointZones: oneOf([1, 2], "the zones in which endpoints of AWS services stand"),
});

const backend = z.discriminatedUnion(
  "type",
  [
    /** A bucket of the account, which `make bootstrap` creates; Terraform locks each state with a file beside it. */
    z.strictObject({ type: z.literal("s3") }),
    /** Terraform Cloud, with a workspace for each stack. */
    z.strictObject({
      type: z.literal("cloud"),
      organization: text(/^[A-Za-z0-9_-]{3,40}$/, "the name of an organization of Terraform Cloud"),
      /** @default the organization's default project */
      project: text(/^[A-Za-z0-9 _-]{3,40}$/, "the name of a project of Terraform Cloud").optional(),
      /** @default "app.terraform.io" */
      hostname: text(
        /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/,
        "the host name of a Terraform Enterprise",
      ).optional(),
    }),
  ],
  { error: 'an object whose type is "s3" or "cloud"' },
);

/** Airflow, which ingests each new survey. */
const airflow = z.strictObject({
  /** A version that MWAA offers ("Apache Airflow versions on Amazon MWAA"); `airflow-dags/` is tested with this one. */
  version: oneOf(["2.10.3", "2.11.0", "3.0.6"], "the version of Airflow"),
  environmentClass: text(/^mw1\.(micro|small|medium|large|xlarge|2xlarge)$/, 'a class of MWAA such as "mw1.small"'),
  /** MWAA runs at least one worker and at most 25. */
  maximumWorkers: wholeNumber(1, 25, "the Airflow workers that run at once"),
  /** Who reaches Airflow's web page: only from within the VPC, or everyone whom IAM allows. */
  webServer: oneOf(["private", "public"], "who reaches Airflow's web page"),
});

const branch = text(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$/, 'the name of a branch such as "main"');

/** The pipeline that deploys the stacks when the source changes. */
const pipeline = z.strictObject({
  source: z.discriminatedUnion(
    "type",
    [
      z.strictObject({
        type: z.literal("codecommit"),
        repository: text(/^[A-Za-z0-9._-]{1,100}$/, "the name of a CodeCommit repository in this account and region"),
        branch,
      }),
      /** GitHub, GitLab or Bitbucket, with a connection that somebody must confirm once in the console. */
      z.strictObject({
        type: z.literal("codeconnections"),
        connectionArn: text(
          /^arn:aws[a-z-]*:(codeconnections|codestar-connections):[a-z0-9-]+:\d{12}:connection\/[0-9a-f-]{36}$/,
          "the ARN of a connection of Developer Tools",
        ),
        repository: text(/^[A-Za-z0-9._/-]+\/[A-Za-z0-9._-]+$/, 'the repository as "owner/name"'),
        branch,
      }),
    ],
    { error: 'an object whose type is "codecommit" or "codeconnections"' },
  ),
  /** Whether somebody must approve before the website's stage `production` is deployed. */
  approval: flag("whether somebody must approve before production"),
});

/** What watches the account: the trail of data events, and the budget. */
const governance = z.strictObject({
  /** Monthly budget in US dollars; alarms go off at 80 % and at a forecast of 100 %. */
  monthlyBudgetDollars: wholeNumber(1, 1_000_000, "the US dollars that a month may cost"),
  /** Days that the trail's records are kept. */
  trailRetentionDays: wholeNumber(1, 3_650, "the days that records of the trail are kept"),
});

const fields = z.strictObject({
  /** The environment's name, part of the name of every resource. */
  name: oneOf(["local", "development", "production"], "the name of the environment"),
  /** The AWS account; the provider refuses to work in another one. */
  account: text(/^\d{12}$/, "the twelve digits of an AWS account, as text"),
  region: text(/^[a-z]{2}(-[a-z]+)+-\d$/, 'an AWS region such as "eu-west-1"'),
  /** Whether an AWS emulator on this machine replaces AWS: the provider then skips checks that only AWS can answer. */
  emulated: flag("whether an emulator replaces AWS"),
  /** Where Terraform keeps its state. */
  backend,
  /**
   * The platform's owner: up to six tags on every resource, besides the four of the platform; an S3 object can have
   * ten.
   */
  ownerTags: z.record(
    text(
      /^[A-Za-z][A-Za-z0-9+\-=._:/@ ]{0,127}$/,
      "a tag's name of 1 to 128 letters, digits, spaces and + - = . _ : / @",
    ),
    text(/^[A-Za-z0-9+\-=._:/@ ]{1,256}$/, "a tag's value of 1 to 256 letters, digits, spaces and + - = . _ : / @"),
    { error: "an object of tags, name to value" },
  ),
  /** Receiver of the alarms' e-mails. @default none: the alarms' topics have no subscriber */
  alarmEmail: z.email({ error: "an e-mail address, or nothing for no e-mail" }).optional(),
  logRetentionDays: oneOf(retentionDays, "the days that CloudWatch keeps logs"),
  /** Whether Terraform refuses to destroy resources with data: buckets, keys, the feature group, the contact table. */
  protectData: flag("whether Terraform refuses to destroy resources with data"),
  /** Days after which noncurrent versions of objects expire. */
  oldVersionDays: wholeNumber(1, 3_650, "the days after which an old version of an object expires"),
  /** Days after which the result of an Athena query expires. */
  queryResultDays: wholeNumber(1, 365, "the days after which the result of an Athena query expires"),
  /** Days after which captured traffic and the reports about it expire. */
  capturedTrafficDays: wholeNumber(1, 3_650, "the days that captured traffic is kept"),
  /** GiB after which Athena stops a query; Athena's minimum is 10 MB. */
  queryScanLimitGibibytes: number(0.01, 7_000, "the GiB that one Athena query may scan"),
  /**
   * Largest RMSE, in rings, of a model that may be registered. Always guessing the mean gives 3.2; about 2.0 is the
   * lower limit.
   */
  qualityThreshold: number(0.1, 10, "the largest RMSE, in rings, of a model that may be registered"),
  gate,
  /** How the model image is made. */
  modelImage: z.strictObject({
    /** `docker` builds and pushes it; `content` needs no Docker and only names it by the hash of its sources. */
    build: oneOf(["docker", "content"], "docker builds and pushes the image, content only names it"),
  }),
  /** @default no VPC: for a platform that an emulator runs */
  network: network.optional(),
  /** Whether processing and training jobs run in the network's job subnets, which have no route to the internet. */
  jobsInVpc: flag("whether jobs run in the VPC"),
  processing: job,
  training: job,
  /** The two stages of the website: what passed the system tests on `test` goes to `production`. */
  websites: z.strictObject({ test: website, production: website }),
  /** The limits of each website's API. */
  api: z.strictObject({
    requestsPerSecond: wholeNumber(1, 10_000, "the steady rate of requests per second that the API lets through"),
    burst: wholeNumber(1, 5_000, "the requests that the API lets through at once"),
    /** Many visitors share one address of a mobile network; the system tests send messages too. */
    contactMessagesPerHour: wholeNumber(1, 100_000, "the messages that one visitor may send within an hour"),
  }),
  /** Days after which a message from the contact form is deleted. */
  contactRetentionDays: wholeNumber(1, 3_650, "the days that a message from the contact form is kept"),
  /** @default no Airflow: people ingest surveys by hand */
  airflow: airflow.optional(),
  /** @default no pipeline: people deploy */
  pipeline: pipeline.optional(),
  /** @default no trail, no budget and no boundaries; on AWS, policies/ refuses roles without a boundary */
  governance: governance.optional(),
});

/** The parsed settings; a check adds errors about several settings together. */
type Context = z.core.ParsePayload<z.infer<typeof fields>>;

function refuse({ issues }: Context, path: string, message: string, input: unknown): void {
  issues.push({ code: "custom", path: path.split("."), message, input });
}

function checkWebsites(context: Context): void {
  const { emulated, websites } = context.value;
  for (const [stage, { endpoint: size, firewall: wall, domain }] of Object.entries(websites)) {
    for (const [field, value, what] of [
      ["firewall", wall, "firewall"],
      ["domain.hostedZoneId", domain?.hostedZoneId, "name server"],
    ] as const) {
      if (emulated && value !== undefined) {
        const message = `nothing where emulated is true: the emulator has no ${what}`;
        refuse(context, `websites.${stage}.${field}`, message, value);
      }
    }
    checkScaling(context, `websites.${stage}.endpoint`, size);
  }
}

function checkScaling(context: Context, path: string, size: Context["value"]["websites"]["test"]["endpoint"]): void {
  const { scaling, instanceCount, instanceType } = size;
  if (!scaling) {
    return;
  }
  if (context.value.emulated) {
    const message = "nothing where emulated is true: the emulator has no auto scaling";
    refuse(context, `${path}.scaling`, message, scaling);
  }
  const { maximumInstances } = scaling;
  if (maximumInstances <= instanceCount) {
    const message = `more than instanceCount, which is ${instanceCount}`;
    refuse(context, `${path}.scaling.maximumInstances`, message, maximumInstances);
  }
  // "Auto scaling policy overview" in the SageMaker Developer Guide.
  if (/^ml\.t\d/.test(instanceType)) {
    const message = "no burstable type with scaling: SageMaker does not scale those";
    refuse(context, `${path}.instanceType`, message, instanceType);
  }
}

function checkIdentities(context: Context): void {
  const [first, second] = Object.entries(context.value.websites).map(([stage, { contact: mail }]) => {
    if (mail === undefined || mail.identity === "existing") {
      return { stage };
    }
    const { from, identity } = mail;
    return { stage, made: identity === "domain" ? from.slice(from.indexOf("@") + 1) : from };
  });
  if (first?.made !== undefined && first.made === second?.made) {
    const message = `"existing", because the stage ${first.stage} creates the same identity, ${first.made}, and an account has it only once`;
    refuse(context, `websites.${second.stage}.contact.identity`, message, second.made);
  }
}

function checkPlace(context: Context): void {
  const { airflow: workflows, emulated, jobsInVpc, modelImage, network: vpc } = context.value;
  if (emulated && modelImage.build === "docker") {
    const message = '"content" where emulated is true: the emulator has no registry to push to';
    refuse(context, "modelImage.build", message, modelImage.build);
  }
  if (emulated && jobsInVpc) {
    const message = "false where emulated is true: the emulator runs jobs as processes, outside any VPC";
    refuse(context, "jobsInVpc", message, jobsInVpc);
  }
  for (const [field, needsNetwork] of Object.entries({ jobsInVpc, airflow: workflows !== undefined })) {
    if (needsNetwork && !vpc) {
      refuse(context, "network", `the settings of the VPC, in which ${field} puts its machines`, vpc);
    }
  }
}

function checkOwnerTags(context: Context): void {
  const { ownerTags } = context.value;
  const names = Object.keys(ownerTags);
  for (const name of platformTags.filter((each) => names.includes(each))) {
    const message = `no such tag: the platform sets ${platformTags.join(", ")} itself`;
    refuse(context, `ownerTags.${name}`, message, ownerTags[name]);
  }
  if (names.length > 6) {
    const message = `at most 6 tags: an S3 object can have 10, and the platform sets ${platformTags.join(", ")} itself`;
    refuse(context, "ownerTags", message, ownerTags);
  }
}

// One check that calls all, because zod stops after a failed check.
const settings = fields.check((context) => {
  checkWebsites(context);
  checkIdentities(context);
  checkPlace(context);
  checkOwnerTags(context);
});

type DeepReadonly<Value> = Value extends object ? { readonly [Key in keyof Value]: DeepReadonly<Value[Key]> } : Value;

/** The checked settings of one environment. */
export type Environment = DeepReadonly<z.infer<typeof settings>>;
/** The two stages of the website within an environment. */
export type WebsiteStage = keyof Environment["websites"];

function valueAt(candidate: unknown, path: readonly PropertyKey[]): string {
  let value: unknown = candidate;
  for (const key of path) {
    value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  }
  return value === undefined ? "missing" : JSON.stringify(value);
}

/**
 * Checks settings.
 * @param source the settings' file, for the message
 * @throws Error that names each wrong field, its value and what was expected
 */
export function parseEnvironment(candidate: unknown, source: string): Environment {
  const result = settings.safeParse(candidate);
  if (result.success) {
    return result.data;
  }
  const faults = result.error.issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map(
          (key) => `${[...issue.path, key].join(".")} is not a setting: remove it, or correct its spelling`,
        )
      : [`${issue.path.join(".") || "the whole"} is ${valueAt(candidate, issue.path)}; expected ${issue.message}`],
  );
  throw new Error(
    `${source} has ${faults.length === 1 ? "a setting" : "settings"} to correct:\n  ${faults.join("\n  ")}`,
  );
}
