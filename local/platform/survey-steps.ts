import type { Clients } from "./clients";
import {
  countOfflineRecords,
  describeRejection,
  fileAway,
  findSurvey,
  ingest,
  type Ingestion,
  makeSurvey,
  type SurveyFile,
  SurveyRefused,
  tellMeanwhile,
  waitForOfflineStore,
} from "./ingestion";
import { type Instance, readMemory, writeJson } from "./instance";
import { saveState } from "./services";
import type { Progress } from "./steps";

/** Surveys that were requested but not ingested yet: after a kill, the next command ingests them. */
const isRequestList = (content: unknown): content is string[] =>
  Array.isArray(content) && content.every((path) => typeof path === "string");

/** The result of each ingested survey, by the hash of its content. */
const isIngestionRecord = (content: unknown): content is Record<string, Ingestion> =>
  typeof content === "object" &&
  content !== null &&
  !Array.isArray(content) &&
  Object.values(content).every((ingestion) => typeof (ingestion as Ingestion | null)?.accepted === "number");

/** A number of rows for people: 1,000,000. */
const grouped = (rows: number): string => rows.toLocaleString("en-GB");

/** The surveys of one run: the requested ones, and the simulated one if there was never any. */
export class Surveys {
  /** Messages about rejected rows. */
  readonly notes: string[] = [];

  /** The surveys to ingest, each with its requested path; undefined for the simulated one. */
  private readonly waiting: { readonly path: string | undefined; readonly survey: SurveyFile }[] = [];

  constructor(private readonly instance: Instance) {}

  /**
   * Records a requested survey.
   * @throws SurveyRefused when the file does not exist.
   */
  request(source: string): void {
    const path = findSurvey(source);
    this.writeRequests([...this.requests().filter((earlier) => earlier !== path), path]);
  }

  /** Converts the requested surveys into the platform's format, and describes them. */
  async read(): Promise<string> {
    const requests = this.requests();
    const paths = requests.length === 0 && Object.keys(this.ingested()).length === 0 ? [undefined] : requests;
    for (const path of paths) {
      this.waiting.push({ path, survey: await this.forgetRefused(path, () => makeSurvey(this.instance, path)) });
    }
    const summaries = this.waiting.map(({ survey: { lines, origin } }) => `${grouped(lines)} lines of ${origin.name}`);
    return summaries.length === 0 ? "no new one" : summaries.join("; ");
  }

  /**
   * Ingests the converted surveys.
   * @returns The results for their rows.
   * @throws Error when earlier records are missing.
   */
  async ingest(clients: Clients, progress: Progress): Promise<string> {
    const expected = Object.values(this.ingested()).reduce((sum, { accepted }) => sum + accepted, 0);
    const found = expected === 0 ? 0 : await countOfflineRecords(clients);
    if (found < expected) {
      throw new Error(
        `The offline store shows ${found} of the ${expected} record versions that were ingested: its state was damaged. ` +
          "Start over with `make clean`, then ingest the surveys again.",
      );
    }
    const summaries: string[] = [];
    for (const { path, survey } of this.waiting) {
      summaries.push(await this.forgetRefused(path, () => this.ingestOne(clients, survey, progress)));
      this.forget(path);
    }
    return summaries.length === 0 ? "kept as it is" : summaries.join("; ");
  }

  /** The hashes of the ingested surveys, in order. */
  hashes(): string[] {
    return Object.keys(this.ingested());
  }

  private async ingestOne(clients: Clients, survey: SurveyFile, progress: Progress): Promise<string> {
    const before = this.ingested()[survey.hash];
    if (before !== undefined) {
      this.noteRejected(survey, before);
      await fileAway(clients, survey);
      return `${survey.name} was ingested before`;
    }
    const records = await countOfflineRecords(clients);
    const ingestion = await tellMeanwhile(ingest(clients, survey, progress), async () => {
      const stored = (await countOfflineRecords(clients)) - records;
      progress(`${grouped(stored)} of ${grouped(survey.lines)} rows are stored`);
    });
    progress("waiting until the offline store shows the records");
    await waitForOfflineStore(clients, records + ingestion.accepted);
    await saveState(this.instance);
    writeJson(this.ingestedFile, { ...this.ingested(), [survey.hash]: ingestion });
    await fileAway(clients, survey);
    this.noteRejected(survey, ingestion);
    const { accepted, rejected } = ingestion;
    return `${accepted} rows of ${survey.name}${rejected === 0 ? "" : `, ${rejected} rejected`}`;
  }

  private noteRejected(survey: SurveyFile, ingestion: Ingestion): void {
    if (ingestion.rejection !== undefined) {
      this.notes.push(describeRejection(survey.origin.name, ingestion));
    }
  }

  /** A refused survey is removed from the requests: a retry would not help, and must not block later surveys. */
  private async forgetRefused<Result>(path: string | undefined, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof SurveyRefused) {
        this.forget(path);
      }
      throw error;
    }
  }

  private get ingestedFile(): string {
    return this.instance.path("progress/ingested.json");
  }

  private ingested(): Record<string, Ingestion> {
    return readMemory(this.ingestedFile, isIngestionRecord) ?? {};
  }

  private get requestFile(): string {
    return this.instance.path("progress/survey-requests.json");
  }

  private requests(): string[] {
    return readMemory(this.requestFile, isRequestList) ?? [];
  }

  private writeRequests(paths: readonly string[]): void {
    writeJson(this.requestFile, paths);
  }

  private forget(path: string | undefined): void {
    this.writeRequests(this.requests().filter((other) => other !== path));
  }
}
