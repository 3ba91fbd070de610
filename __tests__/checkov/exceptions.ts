/**
 * What checkov asks for and this platform does not do, each with the reason. A row, or one of its resources, that
 * excuses nothing fails `make checkov`. The rules of `policies/` hold what we do instead.
 */

/** One check that some resources need not pass. */
export interface CheckovException {
  /** checkov's id of the check. */
  readonly check: string;
  /**
   * Stack and address; `*` stands for any part of a stack's or a resource's name: every function of a stack is
   * `ml-workflow/aws_lambda_function.*`.
   */
  readonly resources: readonly string[];
  /** The environments in which they need not pass it. @default all */
  readonly environments?: readonly string[];
  readonly reason: string;
}

const functions = ["*/aws_lambda_function.*"];
const distributions = ["website-*/aws_cloudfront_distribution.website_distribution"];
const buckets = ["*/aws_s3_bucket.*"];

/** All exceptions. */
export const exceptions: readonly CheckovException[] = [
  // Buckets
  {
    check: "CKV_AWS_145",
    resources: [
      "data/aws_s3_bucket.logs_bucket",
      "*/aws_s3_bucket.access-logs_bucket",
      "state/aws_s3_bucket.logs_bucket",
    ],
    reason: "S3 delivers server access logs only to buckets with S3's own key.",
  },
  {
    check: "CKV_AWS_145",
    resources: ["website-*/aws_s3_bucket.website_site_bucket"],
    reason: "The pages are public; S3's own key encrypts them, and CloudFront needs no right to use a key of ours.",
  },
  {
    check: "CKV_AWS_18",
    resources: ["pipeline/aws_s3_bucket.artefacts_bucket"],
    reason:
      "The trail of stacks/governance.ts records every object that is read or written there (rule recorded-access).",
  },
  {
    check: "CKV_AWS_144",
    resources: buckets,
    reason:
      "One region is the platform's decision: what can't be made again is versioned, and a lost region is answered by deploying elsewhere (the runbook on a lost region).",
  },
  {
    check: "CKV2_AWS_62",
    resources: buckets,
    reason:
      "Nobody waits for an event of these buckets: Airflow looks for new surveys itself, and the trail records the rest.",
  },
  // Functions
  {
    check: "CKV_AWS_115",
    resources: functions,
    reason:
      "The APIs' throttling and the state machine limit how many run at once; a reservation would take its share from all other functions of the account.",
  },
  {
    check: "CKV_AWS_116",
    resources: functions,
    reason:
      "A dead letter queue is for calls that nobody waits for: API Gateway, Step Functions and Airflow all wait for theirs.",
  },
  {
    check: "CKV_AWS_117",
    resources: functions,
    reason:
      "They call AWS's APIs alone, and nothing that lies in the VPC: within it they would only depend on its endpoints.",
  },
  {
    check: "CKV_AWS_173",
    resources: functions,
    reason: "Their variables are names and numbers, nothing secret; AWS's own key encrypts them.",
  },
  {
    check: "CKV_AWS_272",
    resources: functions,
    reason:
      "Only the pipeline's deployment role may change a function's code, Terraform compares its hash, and the trail records who else would.",
  },
  // Websites
  {
    check: "CKV_AWS_28",
    resources: ["website-*/aws_dynamodb_table.visitors"],
    reason:
      "It holds counts of an hour, and the day's key of the codes by which visitors are counted: a backup would keep what is meant to be forgotten.",
  },
  {
    check: "CKV_AWS_309",
    resources: ["website-*/aws_apigatewayv2_route.api_*"],
    reason: "The site is for everybody: its API checks, limits and throttles each request, and asks nobody to sign in.",
  },
  {
    check: "CKV_AWS_86",
    resources: distributions,
    reason:
      "The access logs are delivered by aws_cloudwatch_log_delivery (standard logging v2), which checkov does not know; the older way needs ACLs.",
  },
  {
    check: "CKV_AWS_68",
    resources: distributions,
    reason:
      "The setting `firewall` puts one in front, as production has it for its stage `production`. Elsewhere it would cost more a month than the rest of the site: two throttled routes with strict schemas.",
  },
  {
    check: "CKV2_AWS_47",
    resources: distributions,
    reason:
      "The rules against Log4j come with the setting `firewall`. Log4j is a library of Java; nothing behind the site runs Java.",
  },
  {
    check: "CKV_AWS_174",
    resources: distributions,
    reason:
      "For its own name CloudFront sets the minimum TLS version itself; with the setting `domain` it is TLS 1.2 (modules/static-site.ts).",
  },
  {
    check: "CKV2_AWS_42",
    resources: distributions,
    reason: "A certificate belongs to a domain of one's own: the setting `domain` brings both.",
  },
  {
    check: "CKV_AWS_310",
    resources: distributions,
    reason: "The second origin is the API, not a copy of the pages; S3 keeps those in three zones.",
  },
  { check: "CKV_AWS_374", resources: distributions, reason: "The site is for everybody, wherever they fish." },
  {
    check: "CKV_AWS_259",
    resources: ["website-*/aws_cloudfront_response_headers_policy.website_headers"],
    reason:
      "HSTS is on, for two years and all subdomains; `preload`, which checkov asks for, would bind the whole registered domain, which is not this platform's to decide.",
  },
  // Network
  {
    check: "CKV_AWS_231",
    resources: ["network/aws_network_acl_rule.network_*-replies-in"],
    reason:
      "Network ACLs keep no state, so replies need the ports 1024 to 65535, 3389 among them; security groups let nobody in there.",
  },
  {
    check: "CKV_AWS_352",
    resources: ["network/aws_network_acl_rule.network_private-network-in"],
    reason: "Only from the VPC's own addresses; what may come in is what each endpoint's security group admits.",
  },
  {
    check: "CKV2_AWS_5",
    resources: ["network/aws_security_group.jobs"],
    reason: "SageMaker attaches it to each job's network interface at run time.",
  },
  {
    check: "CKV2_AWS_66",
    resources: ["data-workflow/aws_mwaa_environment.airflow_environment"],
    environments: ["development"],
    reason:
      "Its setting webServer is public: the page is behind IAM's sign-in, and development has no other way into the VPC.",
  },
  // Accounts and pipeline
  {
    check: "CKV2_AWS_34",
    resources: ["*/aws_ssm_parameter.*"],
    reason: "They are the contract between the stacks: names and ARNs, nothing secret, which a plan has to show.",
  },
  {
    check: "CKV_AWS_252",
    resources: ["governance/aws_cloudtrail.trail_trail"],
    reason:
      "It would tell of every file that is written, hundreds a day; alarms on the log group tell of what matters.",
  },
  {
    check: "CKV_AWS_316",
    resources: ["pipeline/aws_codebuild_project.deploy-model-image_project"],
    reason: "It builds the model image with Docker, which needs it; no other project has it.",
  },
  {
    check: "CKV_AWS_338",
    resources: ["*/aws_cloudwatch_log_group.*"],
    environments: ["local", "development"],
    reason:
      "How long logs are kept is a setting of the environment: a year in production, less where nobody's data is.",
  },
];
