import { requireContract } from "../../local/platform/clients";
import { makeClients } from "../../local/provision/clients";
import { PlatformUnderTest } from "./platform-under-test";

/** The monitor of a whole platform: visitors come, others come, and the data workflow is started. */
describe("what visitors ask", () => {
  const platform = new PlatformUnderTest();
  const alarmName = "acme-local-website-production-drift";

  beforeAll(async () => {
    await platform.succeed("up", { MONITORING_SECONDS: "10" });
  });
  afterAll(() => platform.remove("monitoring"));

  const clients = (): ReturnType<typeof makeClients> => makeClients(platform.file.aws, "eu-west-1", "123456789012");

  async function stateOfAlarm(): Promise<string> {
    const { MetricAlarms = [] } = await clients().cloudWatch.describeAlarms({ AlarmNames: [alarmName] });
    expect(MetricAlarms).toHaveLength(1);
    return MetricAlarms[0]?.StateValue ?? "";
  }

  /** How many comparisons of at least so many rows there were: what the jobs' reports say. */
  async function comparisons(): Promise<readonly string[]> {
    const { MonitoringExecutionSummaries = [] } = await clients().sageMaker.listMonitoringExecutions({
      MonitoringScheduleName: "acme-local-website-production-data",
      MaxResults: 100,
    });
    return MonitoringExecutionSummaries.map(({ MonitoringExecutionStatus = "" }) => MonitoringExecutionStatus);
  }

  async function startedRuns(): Promise<readonly string[]> {
    const stateMachineArn = await requireContract(platform.clients, "StateMachine");
    const { executions = [] } = await clients().stepFunctions.listExecutions({ stateMachineArn });
    return executions.flatMap(({ name = "" }) => (name.startsWith("drift-") ? [name] : []));
  }

  async function until(what: string, check: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 240_000;
    while (!(await check())) {
      if (Date.now() > deadline) {
        throw new Error(`Waited in vain for ${what}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  /** Sends animals until a comparison has judged enough of them: a period may end in the middle of what is sent. */
  async function judged(shift: string): Promise<void> {
    for (const seed of ["21", "22"]) {
      const before = (await comparisons()).length;
      await platform.succeed("traffic", { ROWS: "250", SEED: seed, SHIFT: shift });
      await until("two comparisons", async () => (await comparisons()).length >= before + 2);
    }
  }

  test("of animals as surveyed, no alarm goes off", async () => {
    await judged("");
    expect(await comparisons()).toContain("Completed");
    expect(await comparisons()).not.toContain("CompletedWithViolations");
    expect(await stateOfAlarm()).not.toBe("ALARM");
    expect(await startedRuns()).toEqual([]);
  });

  test("of other animals, the alarm goes off, and the data workflow is started once", async () => {
    await judged("0.2");
    expect(await comparisons()).toContain("CompletedWithViolations");
    await until("the data workflow", async () => (await startedRuns()).length > 0);
    expect(await startedRuns()).toEqual([expect.stringMatching(/^drift-production-\d{4}-\d\d-\d\d$/)]);
  });
});
