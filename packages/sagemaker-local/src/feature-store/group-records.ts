import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Aws } from "../aws";
import { log } from "../log";
import { messageOf } from "../protocol/errors";
import type { FeatureGroup } from "./feature-group";
import { Journal } from "./journal";
import { OfflineStore } from "./offline-store";
import { OnlineStore } from "./online-store";

const quietTime = 1000; // ms without a new record after which the journal is moved …
const longestTime = 5000; // … or since its first record, so that a steady stream arrives in few, large objects …
const mostEntries = 20_000; // … or this many records.
const longestRetry = 30_000;

/** The records of one feature group: its journal on the way to the offline store, and its online store. */
export class GroupRecords {
  readonly online: OnlineStore | undefined;
  readonly journal: Journal | undefined;
  /** Why the last attempt to write to the offline store failed. */
  blockedReason: string | undefined;

  private readonly store: OfflineStore;
  private timer: NodeJS.Timeout | undefined;
  private firstAppend = 0;
  private moving: Promise<void> = Promise.resolve();
  private retryDelay = quietTime;
  private closed = false;

  constructor(
    private readonly folder: string,
    private readonly group: FeatureGroup,
    aws: Aws,
  ) {
    this.store = new OfflineStore(aws, group);
    if (group.OnlineStoreConfig?.EnableOnlineStore === true) {
      this.online = new OnlineStore(folder);
    }
    if (group.OfflineStoreConfig !== undefined) {
      this.journal = new Journal(join(folder, "journal"));
      if (this.journal.segments().length > 0) {
        this.schedule(0);
      }
    }
  }

  /** Resolves once the record is in the journal on the disk; it reaches the offline store in the background. */
  async appendOffline(values: Readonly<Record<string, string>>, deleted: boolean): Promise<void> {
    if (this.journal === undefined) {
      return;
    }
    await this.journal.append({ values, deleted, invokedAt: Date.now() });
    if (this.firstAppend === 0) {
      this.firstAppend = Date.now();
    }
    const waited = Date.now() - this.firstAppend;
    const full = this.journal.openEntries >= mostEntries;
    if (this.blockedReason === undefined) {
      this.schedule(full ? 0 : Math.max(0, Math.min(quietTime, longestTime - waited)));
    }
  }

  /**
   * Moves everything that is in the journal into the offline store.
   * @throws Error when S3 or Glue can't take it; the records stay in the journal
   */
  flush(): Promise<void> {
    const move = this.moving.then(() => this.move());
    this.moving = move.catch(() => undefined);
    return move;
  }

  /** Stops the background work; the journal stays for the next start. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.moving;
    await this.journal?.close();
    await this.online?.close();
  }

  /** Closes the group's records and removes them from this machine; the offline store stays as it is. */
  async remove(): Promise<void> {
    await this.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private schedule(delay: number): void {
    if (this.closed) {
      return;
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.flush().catch(() => {
        this.schedule(this.retryDelay);
      });
    }, delay);
    this.timer.unref();
  }

  private async move(): Promise<void> {
    if (this.journal === undefined) {
      return;
    }
    this.firstAppend = 0;
    try {
      for (const segment of await this.journal.close()) {
        await this.store.write(segment, this.journal.read(segment));
        rmSync(segment.file);
      }
      if (this.blockedReason !== undefined) {
        log(`Offline store of ${this.group.FeatureGroupName}: works again.`);
      }
      this.blockedReason = undefined;
      this.retryDelay = quietTime;
    } catch (error) {
      if (this.blockedReason === undefined) {
        log(
          `Offline store of ${this.group.FeatureGroupName}: ${messageOf(error)}. ` +
            "Its records stay in the journal, and are tried again.",
        );
      }
      this.blockedReason = messageOf(error);
      this.retryDelay = Math.min(this.retryDelay * 2, longestRetry);
      throw error;
    }
  }
}
