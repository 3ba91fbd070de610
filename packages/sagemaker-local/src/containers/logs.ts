import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import type { AwsClients } from "../aws";
import { log } from "../log";
import { messageOf, nameOf } from "../protocol/errors";

interface LogLine {
  readonly timestamp: number;
  readonly message: string;
}

const interval = 500;
const keptLines = 30;
const mostPerRequest = 5000;
const mostWaiting = 100_000;
const longestMessage = 100_000; // characters; CloudWatch takes 256 KB
const chunkBytes = 1 << 16;

/** Follows a log file: passes on its lines, remembers the last ones, and sends them to CloudWatch Logs. */
export class LogFollower {
  private position: number;
  private rest = "";
  private readonly decoder = new StringDecoder("utf8");
  private readonly last: string[] = [];
  private waiting: LogLine[] = [];
  private shipping: Promise<void> = Promise.resolve();
  private streamReady = false;
  private complained = false;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly file: string,
    private readonly clients: AwsClients,
    private readonly group: string,
    private readonly stream: string,
    private readonly onLine: (line: string, timestamp: number) => void = () => undefined,
  ) {
    this.position = existsSync(file) ? statSync(file).size : 0;
    this.timer = setInterval(() => {
      this.read(false);
    }, interval);
    this.timer.unref();
  }

  /** The last lines, for an error's reason. */
  get lastLines(): readonly string[] {
    this.read(false);
    return this.rest === "" ? this.last : [...this.last, this.rest].slice(-keptLines);
  }

  /** Reads the rest and waits until it is sent, or can't be. */
  async finish(): Promise<void> {
    clearInterval(this.timer);
    this.read(true);
    await this.shipping;
  }

  private read(final: boolean): void {
    try {
      if (statSync(this.file).size > this.position) {
        this.readNew();
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
        log(`${this.file}: ${messageOf(error)}`);
      }
    }
    if (final && this.rest !== "") {
      this.take("\n");
    }
    this.ship();
  }

  private readNew(): void {
    const handle = openSync(this.file, "r");
    try {
      const buffer = Buffer.alloc(chunkBytes);
      for (let count = 1; count > 0;) {
        count = readSync(handle, buffer, 0, buffer.length, this.position);
        this.position += count;
        this.take(this.decoder.write(buffer.subarray(0, count)));
      }
    } finally {
      closeSync(handle);
    }
  }

  private take(text: string): void {
    const lines = (this.rest + text).split(/\r?\n/);
    this.rest = lines.pop() ?? "";
    const timestamp = Date.now();
    for (const line of lines) {
      this.onLine(line, timestamp);
      if (line.trim() === "") {
        continue;
      }
      this.last.push(line);
      this.waiting.push({ timestamp, message: line.slice(0, longestMessage) });
    }
    this.last.splice(0, this.last.length - keptLines);
    this.waiting.splice(0, this.waiting.length - mostWaiting);
  }

  private ship(): void {
    if (this.waiting.length === 0) {
      return;
    }
    this.shipping = this.shipping.then(async () => {
      const lines = this.waiting.splice(0);
      try {
        await this.put(lines);
      } catch (error) {
        // The file has them all; the emulator may be restarting.
        if (!this.complained) {
          log(`${this.group}: lines could not be sent to CloudWatch Logs: ${messageOf(error)}`);
        }
        this.complained = true;
        this.streamReady = false;
      }
    });
  }

  private async put(lines: readonly LogLine[]): Promise<void> {
    const client = await this.clients.logs();
    const place = { logGroupName: this.group, logStreamName: this.stream };
    if (!this.streamReady) {
      const unless =
        (name: string) =>
        (error: unknown): boolean => {
          if (nameOf(error) !== name) {
            throw error;
          }
          return false;
        };
      const unlessThere = unless("ResourceAlreadyExistsException");
      const createStream = async (): Promise<boolean> => {
        await client.createLogStream(place).catch(unlessThere);
        return true;
      };
      // The stream first: for an existing group, the role needs no right to create one.
      if (!(await createStream().catch(unless("ResourceNotFoundException")))) {
        await client.createLogGroup({ logGroupName: this.group }).catch(unlessThere);
        await createStream();
      }
      this.streamReady = true;
    }
    for (let start = 0; start < lines.length; start += mostPerRequest) {
      await client.putLogEvents({ ...place, logEvents: lines.slice(start, start + mostPerRequest) });
    }
  }
}
